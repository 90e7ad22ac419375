"""The links to unsubscribe that stand beside an address given for mailing.

Whoever is written to can stop it: the links of this person and purpose, as in our own letters (RFC 2369, RFC 8058). How
they are made is known to the package `consent` only, which says it when the program starts (`links_by`).

Called by: registry.transfers.building, registry.audience. Sources: policy clauses 8, 16.
"""

from collections.abc import Callable
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.models import Transfer


class Links(NamedTuple):
    """The values of two headers for the letter to one person, and the page for the text of it."""

    list_unsubscribe: str
    list_unsubscribe_post: str
    unsubscribe_link: str


TITLES: dict[str, str | Promise] = {
    "list_unsubscribe": "List-Unsubscribe",
    "list_unsubscribe_post": "List-Unsubscribe-Post",
    "unsubscribe_link": _("Page to unsubscribe"),
}
LinksOf = Callable[[int], Links]  # by the number of a person
_makers: list[Callable[[int], LinksOf]] = []


def links_by(make: Callable[[int], LinksOf]) -> None:
    """Says how the links for a purpose (its number) are made."""
    _makers[:] = [make]


def links_for(purpose_id: int) -> LinksOf:
    """What makes the links for one purpose. LookupError if nobody said how."""
    if not _makers:
        raise LookupError("nobody said how links to unsubscribe are made")
    return _makers[0](purpose_id)


def cells_of(transfer: Transfer) -> Callable[[int], list[list[str]]]:
    """What stands in a file behind the data of a person; nothing where it was not asked for."""
    if not transfer.with_links or transfer.purpose_id is None:
        return lambda _subject_id: []
    links = links_for(transfer.purpose_id)
    return lambda subject_id: [[one] for one in links(subject_id)]
