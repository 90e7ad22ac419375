"""Child processes that get ready, work when told to, and answer with one line of JSON."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


class Child:
    """`python -m module` that says `ready`, waits for a line and answers; a second line asks it to stop early."""

    def __init__(self, module: str, environment: Mapping[str, str], *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self.process = subprocess.Popen(
            command, env=dict(environment), text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._read("ready")

    def tell(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")

    def answer(self) -> dict[str, Any]:
        """Waits until the work is done and the process has gone."""
        found: dict[str, Any] = json.loads(self._read())
        self.process.communicate()
        return found

    def _read(self, wanted: str = "") -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line or wanted not in line:
            self.process.kill()
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}; its words are above")
        return line
