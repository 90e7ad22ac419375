import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.access import GROUP, MASK, NAMED_USER, NO_ID, OTHERS, OWNER, let_pass, with_search
from config.embedded.accounts import service_account

CLOSED = {(OWNER, NO_ID): 7, (GROUP, NO_ID): 0, (OTHERS, NO_ID): 0}


@pytest.fixture
def private() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_only_search_is_granted_and_only_to_one_account() -> None:
    assert with_search(CLOSED, 999) == CLOSED | {(NAMED_USER, 999): 1, (MASK, NO_ID): 1}


def test_what_the_folder_already_allows_stays() -> None:
    entries = CLOSED | {(GROUP, NO_ID): 5, (NAMED_USER, 7): 6, (MASK, NO_ID): 6}
    found = with_search(entries, 999)
    assert found[NAMED_USER, 7] == 6
    assert found[MASK, NO_ID] == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands over to an account")
def test_the_account_reaches_a_data_folder_below_a_private_one(private: Path) -> None:
    account, home = service_account(), private / "home"
    home.mkdir()
    account.make_private_folder(home)
    assert not account.can_reach(home)
    let_pass(account, home)
    assert account.can_reach(home)
    assert not account.can_run(["/bin/ls", private])
    assert stat.S_IMODE(private.stat().st_mode) & 0o007 == 0
