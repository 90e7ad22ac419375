"""What the launcher says, and how it fails."""

import os
import select
import sys
import time
from pathlib import Path
from typing import TextIO

STARTED_AT = time.monotonic()
SAFE_WRITE = 4000  # a pipe reported as writable takes at least this much (PIPE_BUF) without blocking


class LaunchError(Exception):
    """What happened, where the log is and what to do, as one text for the person at the terminal."""


def say(text: str) -> None:
    """Progress and failures, apart from what a command prints."""
    write_line(f"[run {time.monotonic() - STARTED_AT:6.1f} s] {text}", sys.stderr)


def write_line(line: str, stream: TextIO | None = None) -> None:
    """Print, but never wait for a reader: a parent that reads no further must not stop the product."""
    data = line.encode(errors="replace")[: SAFE_WRITE - 1] + b"\n"
    try:
        descriptor = (stream or sys.stdout).fileno()
        if select.select([], [descriptor], [], 0)[1]:
            os.write(descriptor, data)
    except (OSError, ValueError):
        pass  # the terminal is gone; the log files hold everything


def last_lines(log: Path, count: int = 8) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
