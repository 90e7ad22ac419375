import json

import pytest

from config.embedded.checks import audit_verdict

FINE = {"name": "django", "version": "5.2", "vulns": []}
HOLE = {"name": "celery", "version": "5.7", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "redis", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "is_fine", "words"),
    [
        ([FINE], True, "no known vulnerability in 1"),
        ([FINE, HOLE], False, "celery PYSEC-1"),
        ([FINE, SKIPPED], False, "could not audit redis"),
        ([SKIPPED], True, "not audited"),
    ],
)
def test_the_report_decides(packages: list[object], is_fine: bool, words: str) -> None:
    verdict = audit_verdict(json.dumps({"dependencies": packages}), "")
    assert verdict[0] is is_fine
    assert words in verdict[1]


def test_without_a_report_nothing_is_claimed() -> None:
    assert audit_verdict("", "ERROR: no route to host") == (True, "not audited (ERROR: no route to host)")
