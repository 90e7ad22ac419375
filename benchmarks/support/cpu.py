"""The processor time of servers: what a request costs, however busy the machine is with other things."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def seconds(parent: int) -> float:
    """Of a process and its children until now, those that have ended included (proc_pid_stat(5))."""
    found = [_stat(path) for path in Path("/proc").glob("[0-9]*/stat")]
    return sum(used for pid, of, used in found if parent in {pid, of})


def _stat(path: Path) -> tuple[int, int, float]:
    """Number of the process, of its parent, and seconds."""
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:  # it has just ended
        return 0, 0, 0
    return int(path.parent.name), int(fields[1]), sum(map(int, fields[11:15])) / TICKS
