"""Makes the first person of a new database, who agreed to be given to a partner abroad, and says their number."""

import django

django.setup()

from django.utils import timezone  # noqa: E402  the settings come first

from benchmarks.support import first_person  # noqa: E402
from benchmarks.support.crowd import PURPOSE  # noqa: E402
from consent import decisions  # noqa: E402
from registry.models import DataCategory, DataSubject, ProcessingPurpose, Recipient  # noqa: E402
from registry.processing import Scope  # noqa: E402

PARTNER = "bench-partner"


def main() -> None:
    partner = Recipient.objects.create(
        code=PARTNER, kind="partner", name_kk="П", name_ru="П", name_en="P", country_id="DE", contract_number="7",
        contract_on=timezone.localdate(),
    )  # fmt: skip
    partner.categories.set(DataCategory.objects.filter(kind__in=DataCategory.CONTACTS))
    purpose = ProcessingPurpose.objects.get(code=PURPOSE)
    purpose.third_parties = purpose.cross_border = ProcessingPurpose.Disclosure.ASKED
    purpose.save()
    purpose.recipients.add(partner)
    first_person.main()
    scope = Scope(third_parties=True, cross_border=True)
    decisions.give(DataSubject.objects.get(), [purpose], now=timezone.now(), scope=scope)


if __name__ == "__main__":
    main()
