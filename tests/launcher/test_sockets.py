import stat
import tempfile
from pathlib import Path

import pytest

from config.embedded.accounts import current_account
from config.embedded.sockets import LONGEST_NAME, LONGEST_SOCKET_PATH, socket_folder
from config.embedded.terminal import LaunchError


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose sockets would have too long a path; the short folder lands in the test's own place."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    return folder


def test_sockets_lie_in_the_data_folder_where_the_path_is_short() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        assert socket_folder(Path(name), current_account()) == Path(name, "sockets")


def test_a_long_path_moves_to_a_short_private_folder(deep: Path) -> None:
    folder = socket_folder(deep, current_account())
    assert folder.parent != deep
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_short_folder_is_found_again_and_differs_between_homes(deep: Path) -> None:
    other = deep.with_name("e" * 100)
    other.mkdir()
    first = socket_folder(deep, current_account())
    assert first == socket_folder(deep, current_account())
    assert first != socket_folder(other, current_account())


def test_a_planted_link_is_refused(deep: Path, tmp_path: Path) -> None:
    folder = socket_folder(deep, current_account())
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(LaunchError, match="belongs to someone else"):
        socket_folder(deep, current_account())


def test_the_limit_leaves_room_for_every_system() -> None:
    assert LONGEST_SOCKET_PATH <= 103
    assert len(LONGEST_NAME) >= len("/.s.PGSQL.5432.lock") - len(".lock")
