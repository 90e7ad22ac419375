import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.embedded.accounts import current_account
from config.embedded.home import DataFolder, InUseError
from config.embedded.terminal import LaunchError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    prepared = DataFolder(tmp_path / "home", current_account())
    prepared.prepare()
    return prepared


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_folder_is_closed_to_others(folder: DataFolder) -> None:
    assert mode(folder.path) == 0o700


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    before = mode(tmp_path)
    with pytest.raises(LaunchError, match="holds other files"):
        DataFolder(tmp_path, current_account()).prepare()
    assert mode(tmp_path) == before


def test_a_folder_with_what_a_restore_brings_is_welcome(tmp_path: Path) -> None:
    (tmp_path / "master.keys").touch()
    (tmp_path / "ledger").mkdir()
    DataFolder(tmp_path, current_account()).prepare()


@as_root
def test_the_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(LaunchError, match="belongs to nobody"):
        DataFolder(tmp_path, current_account()).prepare()


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=12_000_000))
    with pytest.raises(LaunchError, match="12 MB free"):
        DataFolder(tmp_path / "home", current_account()).prepare()


def test_a_path_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError, match="cannot be used"):
        DataFolder(tmp_path / "file" / "home", current_account()).prepare()


def test_the_secret_key_is_made_once_and_private(folder: DataFolder) -> None:
    first = folder.secret_key_file().read_text()
    assert len(first) >= 50
    assert mode(folder.secret_key_file()) == 0o600
    assert folder.secret_key_file().read_text() == first


def test_a_second_holder_is_told_who_the_first_is(folder: DataFolder) -> None:
    with folder.lock("./run"), pytest.raises(InUseError, match=f"process {os.getpid()} ./run"), folder.lock("again"):
        pass


def test_the_lock_of_a_killed_holder_is_free_once_its_children_are_gone(folder: DataFolder) -> None:
    script = (
        "import fcntl, os, subprocess, sys; file = open(sys.argv[1], 'r+'); fcntl.flock(file, fcntl.LOCK_EX);"
        "file.write(str(os.getpid())); file.flush();"
        "subprocess.Popen(['sleep', '0.5'], pass_fds=[file.fileno()]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(folder.path / ".lock")], check=True)
    assert folder.is_locked()
    with folder.lock("next"):
        assert folder.holder() == f"{os.getpid()} next"


def test_published_addresses_are_private_and_read_back(folder: DataFolder) -> None:
    values = {"SITE_URL": "http://x:1", "DATABASE_URL": "postgres://a:p'ss w@h/d"}
    with folder.runtime(values):
        assert mode(folder.runtime_file) == 0o600
        assert folder.read_runtime() == values
    assert not folder.runtime_file.exists()
