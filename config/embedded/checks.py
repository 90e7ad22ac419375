"""`./run test`: every check, then every test. `python -m config.embedded.checks [pytest arguments]`.

pytest comes last, so that its closing line is the last one; the exit code tells of the others too.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from .home import CHECKOUT
from .terminal import LaunchError, say

BIN = Path(sys.executable).parent
PRODUCTION = {
    "SITE_URL": "https://registry.example",
    "ALLOWED_HOSTS": "registry.example",
    "SECRET_KEY": "only-to-check-the-settings-of-a-production-machine-0123456789",
}
CHECKS = {
    "ruff": [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "."],
    "mypy": [sys.executable, "-m", "mypy"],
    "import-linter": [str(BIN / "lint-imports")],
    "migrations match the models": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    "settings for production": [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
}
AUDIT = [
    sys.executable,
    "-m",
    "pip_audit",
    "-f",
    "json",
    "--progress-spinner",
    "off",
    "--disable-pip",
    "--require-hashes",
]
AUDIT += ["-r", "requirements.txt"]
AUDIT_TIMEOUT = 180
SYSTEM_STORE = Path("/etc/ssl/certs/ca-certificates.crt")


def run_checks() -> list[str]:
    """The names of the checks that failed."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    failed = []
    for name, command in CHECKS.items():
        say(f"{name}: {' '.join(Path(word).name if word.startswith('/') else word for word in command)}")
        extra = PRODUCTION if "--deploy" in command else {}
        if subprocess.run(command, check=False, cwd=CHECKOUT, env=environment | extra).returncode:
            failed.append(name)
    if not audit():
        failed.append("pip-audit")
    return failed


def audit() -> bool:
    """Known holes in the packages. Its report decides: without an advisory source the exit code means nothing."""
    try:
        done = subprocess.run(
            AUDIT,
            check=False,
            cwd=CHECKOUT,
            env=audit_environment(),
            capture_output=True,
            text=True,
            timeout=AUDIT_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        say("pip-audit: not audited (no advisory source answered in time)")
        return True
    is_fine, verdict = audit_verdict(done.stdout, done.stderr)
    say(f"pip-audit: {verdict}")
    return is_fine


def audit_environment() -> dict[str, str]:
    """A company's own certificate lies in the system's store, which the tool does not read by itself."""
    store = {"REQUESTS_CA_BUNDLE": str(SYSTEM_STORE)} if SYSTEM_STORE.exists() else {}
    return store | os.environ


def audit_verdict(report: str, errors: str) -> tuple[bool, str]:
    """Whether to go on, and what to say. A package skipped among audited ones is a failure (`--strict`)."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return True, f"not audited ({_last_line(errors)[:200]})"
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    holes = [f"{package['name']} {hole['id']}" for package in packages for hole in package.get("vulns", [])]
    if holes:
        return False, f"known vulnerabilities: {', '.join(holes)}"
    if len(skipped) == len(packages):
        return True, "not audited (no advisory source knows these packages from here)"
    if skipped:
        return False, f"could not audit {', '.join(skipped)}"
    return True, f"no known vulnerability in {len(packages)} packages"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no report"])[-1]


def run_tests(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False, cwd=CHECKOUT).returncode


def main() -> int:
    arguments = sys.argv[1:]
    if arguments:
        return run_tests(arguments)
    try:
        importlib.import_module("config.embedded.testing")  # starts the servers once, for the checks and the tests
    except LaunchError as failure:
        say(str(failure))
        return 1
    failed = run_checks()
    say(f"FAILED before the tests: {', '.join(failed)}" if failed else "all checks passed; the tests")
    return run_tests(["-n", "2"]) or bool(failed)


if __name__ == "__main__":
    sys.exit(main())
