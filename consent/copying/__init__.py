"""What consent adds to the copy of a person's data: every act with the text that was shown, receipts, questions,
askings anew, what was answered as somebody's legal representative, e-mail to the contact mailbox, the names of letters.

Of another person only that there is one: a child's copy does not name the representative, nor the other way round.
"""

from django.utils.translation import gettext_lazy as _

from consent.copying import acts, questions  # noqa: F401 (they add their parts)
from consent.models import ConsentRecord
from registry.requests.copying.parts import letter_names, way_names
from registry.requests.telling import name_reasons

LETTERS = {
    "confirm": _("question to confirm a consent"),
    "code": _("code to confirm a consent"),
    "represent": _("question to a legal representative"),
    "receipt": _("receipt of a consent"),
    "link": _("link to one's own consents"),
    "reconsent": _("asking anew after a wider policy"),
}
letter_names.update(LETTERS)
way_names.update(dict(ConsentRecord.Channel.choices))
DESK = {"asked": _("waits for a second person"), "given": _("checked by a second person")}
name_reasons("consent.confirmation", DESK)
