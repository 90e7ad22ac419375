"""What a public page needs beyond Django's."""

import re
from typing import Any

from django import template
from django.template.base import Node, NodeList, Parser, TextNode, Token
from django.utils.translation import get_language

register = template.Library()
SAME_FOR_ALL = re.compile(r"""(translate|static|url) ("[^"]*"|'[^']*')""")


class FixedNode(Node):
    def __init__(self, nodes: NodeList) -> None:
        self.nodes = nodes
        self.made: dict[str | None, str] = {}

    def render(self, context: Any) -> str:
        language = get_language()
        if language not in self.made:
            self.made[language] = self.nodes.render(context)
        return self.made[language]


@register.tag
def fixed(parser: Parser, _token: Token) -> FixedNode:
    """`{% fixed %}...{% endfixed %}`: the same for every reader of a language, so it is made once by each process.

    In it stand text, translations of constants, static files and addresses without arguments. Whatever else could be
    one reader's, and would be shown to the next, so the template is refused.
    """
    nodes = parser.parse(("endfixed",))
    parser.delete_first_token()
    for node in nodes:
        written = node.token.contents if node.token else ""
        if not isinstance(node, TextNode) and not SAME_FOR_ALL.fullmatch(written):
            raise template.TemplateSyntaxError(f"{written!r} may differ from reader to reader")
    return FixedNode(nodes)
