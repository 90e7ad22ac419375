"""Waking a worker: who calls does not wait for the broker, and many calls in a short time are one.

The truth is in rows, and a woken job looks at all of them: a second call that comes before the first was told says
nothing new. So calls are gathered and told by a thread that lives as long as there are any, the first at once. With a
broker that does not answer, the job waits for its time, and whoever pressed the button does not.

Called by: registry.tasks, consent.tasks.
"""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

PAUSE = 0.25  # seconds between two tellings of one process
Call = tuple[Any, tuple[int, ...]]  # a task and the ids it is called with
logger = logging.getLogger(__name__)


@dataclass
class _Calls:
    """What is to be told yet, each once; and whether somebody is about it."""

    waiting: dict[Call, None] = field(default_factory=dict)
    are_told: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> list[Call]:
        """All of them; with none left, whoever told them is done."""
        with self.lock:
            taken, self.waiting = list(self.waiting), {}
            self.are_told = bool(taken)
        return taken


_calls = _Calls()


def wake(task: Any, *ids: int) -> None:
    """Tells a worker soon. The process does not end before it is told."""
    with _calls.lock:
        _calls.waiting[task, ids] = None
        is_told_by_others, _calls.are_told = _calls.are_told, True
    if not is_told_by_others:
        threading.Thread(target=_tell_all, name="waking").start()


def _tell_all() -> None:
    while calls := _calls.take():
        for task, ids in calls:
            _tell(task, ids)
        time.sleep(PAUSE)


def _tell(task: Any, ids: tuple[int, ...]) -> None:
    try:
        task.apply_async(ids, retry=False)
    except Exception as error:  # whatever it is: a thread that ends of it would leave everything after it untold
        logger.warning("broker not reached (%s); %s waits for its time", type(error).__name__, task.name)
