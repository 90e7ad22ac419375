"""Start and stop one process so that it never outlives its parent."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .accounts import Account

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 5_000_000  # bytes; a larger log becomes NAME.log.1 at the next start
# Descriptors that every child keeps: the lock of the data folder, held until the last of them is gone.
INHERITED: set[int] = set()
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(  # noqa: PLR0917  one call of Popen
    command: Sequence[str | Path],
    account: Account,
    log: Path,
    environment: Mapping[str, str],
    death_signal: signal.Signals,
    cwd: Path = Path("/"),
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a session of its own (the terminal's Ctrl-C is ours to pass on) that writes to its own log file."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),  # noqa: PLW1509  we have one thread
            pass_fds=(*INHERITED, *pass_fds),
            **account.spawn_options(),
        )


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: Python calls it after the change of user, which would have cleared the setting."""
    parent = os.getpid()

    def arrange() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the setting took hold
            os._exit(1)

    return arrange


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, grace: float) -> None:
    """Ask, wait `grace` seconds, then kill the whole session: children of a pool can outlive their leader."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    kill_session(process)
    process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))
