"""The files around the launcher that must tell the same story."""

import re
import subprocess
from pathlib import Path

import pytest

from config.embedded.home import CHECKOUT
from config.embedded.postgres import initdb_options

PIN = re.compile(r"^([a-z0-9._-]+)==([^ \\;]+)", re.M)
DIRECT = re.compile(r"^([A-Za-z0-9_-]+)", re.M)
LOCKS = ["requirements.txt", "requirements-dev.txt", "requirements-uv.txt"]
COMMITTED = [*LOCKS, "run", "Dockerfile", "docker-compose.yml", ".env.example"]


def text(name: str) -> str:
    return (CHECKOUT / name).read_text()


def test_the_tests_run_on_the_versions_of_the_product() -> None:
    product, development = (dict(PIN.findall(text(name))) for name in LOCKS[:2])
    assert product.items() <= development.items()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_locked_by_hash(name: str) -> None:
    assert text(name).count("==") <= text(name).count("--hash=")


@pytest.mark.parametrize("name", COMMITTED)
def test_no_file_names_a_package_index(name: str) -> None:
    assert "--index" not in text(name)
    assert "pypi.org" not in text(name)


def test_every_direct_dependency_has_its_reason() -> None:
    reasons = text("docs/dependencies.md").lower()
    names = [name for file in ("requirements.in", "requirements-dev.in") for name in DIRECT.findall(text(file))]
    assert [name for name in names if name.lower() not in reasons] == []


def test_compose_makes_the_same_cluster() -> None:
    locale = [option for option in initdb_options(18) if "locale" in option or "checksums" in option]
    assert " ".join(locale[-3:]) in text("docker-compose.yml")
    assert "--data-checksums" in text("docker-compose.yml")


def test_compose_never_evicts_jobs() -> None:
    assert "noeviction" in text("docker-compose.yml")


def test_every_variable_of_the_example_is_explained() -> None:
    explained = text("docs/operations.md")
    names = re.findall(r"^#([A-Z_]+)=", text(".env.example"), re.M)
    assert names
    assert [name for name in names if f"`{name}`" not in explained] == []


@pytest.mark.parametrize("script", ["run", "docker/with-secrets", "docker/migrate", "docker/make-secrets"])
def test_scripts_are_plain_sh_and_executable(script: str) -> None:
    path = CHECKOUT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", path], check=True)


def test_an_unknown_word_shows_what_there_is(tmp_path: Path) -> None:
    done = subprocess.run([CHECKOUT / "run", "nonsense"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "./run manage COMMAND" in done.stderr
