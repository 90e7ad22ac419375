"""What a log line may hold: what happened and where, never to whom."""

import logging
import re
import traceback
from copy import copy
from types import TracebackType

TOKEN = re.compile(r"[A-Za-z0-9_=-]{24,}")


ADDRESS = re.compile(r"[^\s/@<]+@[^\s/@>]+")


class LineFormatter(logging.Formatter):
    """One line per event. Long opaque words (tokens in addresses) are cut, and an exception is told by its frames and
    type only: its message may quote what a person typed."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return ADDRESS.sub("…", TOKEN.sub("…", super().format(_without_error_text(record))))

    def formatException(  # noqa: N802 (logging's own name)
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        kind, error, trace = ei
        if kind is None or error is None:
            return ""
        return "".join(traceback.format_tb(trace)) + f"{kind.__module__}.{kind.__qualname__}{_where(error)}"


def _without_error_text(record: logging.LogRecord) -> logging.LogRecord:
    """Celery quotes the exception in its own message; the type is enough."""
    kind = record.exc_info[0] if record.exc_info else None
    if kind is not None and isinstance(record.args, dict) and "exc" in record.args:
        record = copy(record)
        record.args = {**record.args, "exc": kind.__name__, "traceback": ""}  # type: ignore[dict-item]
    return record


def _where(error: BaseException) -> str:
    """The names a database error carries; they are ours, its text is not."""
    diagnosis = getattr(error.__cause__, "diag", None) or getattr(error, "diag", None)
    if diagnosis is None:
        return ""
    return f" (sqlstate {diagnosis.sqlstate}, table {diagnosis.table_name}, constraint {diagnosis.constraint_name})"
