"""Makes the first person of a new database, by the operations themselves, and says their number."""

import django

django.setup()

from django.utils import timezone  # noqa: E402  the settings come first

from benchmarks.support.crowd import PURPOSE  # noqa: E402
from consent import decisions  # noqa: E402
from consent.evidence import Circumstances  # noqa: E402
from registry.models import ProcessingPurpose  # noqa: E402


def main() -> None:
    now, purposes = timezone.now(), [ProcessingPurpose.objects.get(code=PURPOSE)]
    here = Circumstances("203.0.113.7", "Mozilla/5.0", "http://127.0.0.1/kk/consent/")
    asked = decisions.ask({"email": "first@example.kz"}, purposes, language="kk", now=now, circumstances=here)
    if decisions.confirm(asked.pk, now=now, circumstances=here) != decisions.Outcome.DONE:
        raise AssertionError("the first person could not confirm")
    print(asked.subject_id)


if __name__ == "__main__":
    main()
