from pathlib import Path

import pytest

from config.embedded import setup
from config.embedded.children import LogView


def shown(log: Path, capfd: pytest.CaptureFixture[str], *added: str) -> str:
    view = LogView()
    view.follow(log)
    with open(log, "a") as file:
        file.writelines(added)
    view.show_new()
    return capfd.readouterr().out


def test_new_lines_are_shown_under_their_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.log").write_text("of an earlier start\n")
    assert shown(tmp_path / "web.log", capfd, "WARNING slow\n", "not whole yet") == "web      | WARNING slow\n"


def test_notices_stay_in_their_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert shown(tmp_path / "postgres.log", capfd, "LOG:  ready\n") == ""
    assert "disk full" in shown(tmp_path / "postgres.log", capfd, "PANIC:  disk full\n")
    assert shown(tmp_path / "web.log", capfd, "2026 INFO gunicorn.error Booting\n") == ""


def test_a_log_that_was_rotated_is_followed_from_its_start(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "worker.log"
    log.write_text("old\n" * 100)
    view = LogView()
    view.follow(log)
    log.write_text("new\n")
    view.show_new()
    assert capfd.readouterr().out == "worker   | new\n"


def test_static_files_are_collected_again_only_when_one_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "CHECKOUT", tmp_path)
    (tmp_path / "requirements.txt").touch()
    for name in ("static/a.css", "registry/static/b.css", "registry/__init__.py", "var/static/a.css"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    stamp = setup.static_stamp({"STATIC_ROOT": "x"})
    (tmp_path / "var/static/a.css").write_text("what was collected")
    assert setup.static_stamp({"STATIC_ROOT": "x"}) == stamp
    (tmp_path / "registry/static/b.css").write_text("body {}")
    assert setup.static_stamp({"STATIC_ROOT": "x"}) != stamp
