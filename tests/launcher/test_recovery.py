"""The whole product beside a ledger that knows more than its database: it starts, says so, and mends itself."""

import signal
import sys
import time

import pytest

from registry import chain
from tests.launcher.test_product import Start, start  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as the other test of the whole product")
LINE = {"kind": "withdrawn", "at": "2026-11-22T09:00:00.000000+00:00", "person": "DS-2222-2222", "purpose": "site-news"}


def test_the_product_starts_in_recovery_mode_and_is_ready_soon_after_the_replay(start: Start) -> None:  # noqa: F811
    first = start()
    first.wait_for(r"^READY ")
    assert first.manage("load_demo", "--people", "5").returncode == 0
    assert first.manage("ledger", "--rebuild").returncode == 0
    assert first.end(signal.SIGINT) == 0
    path = first.home / "ledger" / "erasures.jsonl"
    chain.append(path, [LINE], chain.verify(path))

    second = start()
    port = int(second.wait_for(r"^RECOVERY http://127\.0\.0\.1:(\d+)/ .*replay_erasures").group(1))
    assert second.health(port) == (503, b"unavailable")
    refused = second.manage("purge")
    assert refused.returncode == 1 and "replay_erasures" in refused.stderr

    done = second.manage("replay_erasures")
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "0 data erased"), done.stderr
    began = time.monotonic()
    second.wait_for(r"^READY ")
    assert time.monotonic() - began < 15
    assert second.health(port) == (200, b"ok")
    assert second.manage("ledger").returncode == 0
    assert second.end(signal.SIGINT) == 0
