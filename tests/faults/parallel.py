"""Many hands at one moment, each with a database connection of its own."""

from collections.abc import Callable, Iterable
from threading import Barrier, Thread
from typing import Any

from django.db import connections


class Worker(Thread):
    """Runs `act(*arguments)` and keeps what came of it: `outcome`, or the exception in `error`."""

    def __init__(self, act: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(daemon=True)
        self.act, self.arguments = act, arguments
        self.outcome: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.outcome = self.act(*self.arguments)
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def finish(self, seconds: float = 30) -> Any:
        self.join(seconds)
        assert not self.is_alive(), f"{self.act} still waits after {seconds} s"
        if self.error:
            raise self.error
        return self.outcome


def start(act: Callable[..., Any], *arguments: Any) -> Worker:
    worker = Worker(act, *arguments)
    worker.start()
    return worker


def all_at_once(acts: Iterable[Callable[[], Any]]) -> list[Any]:
    """Starts every act at the same moment and returns their outcomes, in order; the first error is raised."""
    acts = list(acts)
    gate = Barrier(len(acts))

    def act_at_the_signal(act: Callable[[], Any]) -> Any:
        connections["default"].ensure_connection()
        gate.wait(30)
        return act()

    workers = [start(act_at_the_signal, act) for act in acts]
    return [worker.finish(60) for worker in workers]
