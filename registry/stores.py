"""What a store of the registry's own traces is: rows, files, or evidence. Which ones there are: registry.traces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalChanges

PORTION = 1000  # rows or files


@dataclass(frozen=True)
class Store:
    """One kind of trace. `name` and `counts_from` are translated when shown.

    `oldest`: the first moment a term counts from. `destroy`: what is from before a moment goes, portion by portion,
    saying how much went; None: evidence.
    """

    code: str
    name: Any
    counts_from: Any
    count: Callable[[], int]
    oldest: Callable[[], datetime | None]
    destroy: Callable[[datetime], Iterator[int]] | None = None

    @property
    def is_evidence(self) -> bool:
        return self.destroy is None


def rows(code: str, name: Any, counts_from: Any, chosen: Callable[[], models.QuerySet[Any]], moment: str) -> Store:
    """Rows of `chosen()`, whose term counts from the field `moment`."""

    def destroy(before: datetime) -> Iterator[int]:
        over = chosen().filter(**{f"{moment}__lt": before})
        numbers = _portion(over)
        while numbers:
            yield over.filter(pk__in=numbers).delete()[0]  # asked again: a state may have changed since
            numbers = _portion(over.filter(pk__gt=numbers[-1]))

    return Store(code, name, counts_from, lambda: chosen().count(), lambda: _first(chosen(), moment), destroy)


def _portion(over: models.QuerySet[Any]) -> list[Any]:
    return list(over.order_by("pk").values_list("pk", flat=True)[:PORTION])


def _first(chosen: models.QuerySet[Any], moment: str) -> datetime | None:
    first: datetime | None = chosen.aggregate(first=models.Min(moment))["first"]
    return first


def files(code: str, name: Any, counts_from: Any, folder: Callable[[], Path], *patterns: str) -> Store:
    """Files of one folder, whose term counts from their last change. A link is left alone."""

    def destroy(before: datetime) -> Iterator[int]:
        over = [path for path, changed_at in _files(folder(), patterns) if changed_at < before]
        for start in range(0, len(over), PORTION):
            yield sum(_unlink(path) for path in over[start : start + PORTION])

    def oldest() -> datetime | None:
        return min((changed_at for _path, changed_at in _files(folder(), patterns)), default=None)

    def count() -> int:
        return sum(1 for _file in _files(folder(), patterns))

    return Store(code, name, counts_from, count, oldest, destroy)


def _files(folder: Path, patterns: tuple[str, ...]) -> Iterator[tuple[Path, datetime]]:
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_file() and not path.is_symlink():
                changed_at = _changed_at(path)
                if changed_at:
                    yield path, changed_at


def _changed_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:  # renamed or taken away while we look
        return None


def _unlink(path: Path) -> int:
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return 1


def evidence(code: str, name: Any, model: type[models.Model], moment: str) -> Store:
    """Rows that prove what was done: never destroyed. They are only appended, so the first is the oldest."""
    return Store(code, name, _("written"), model._default_manager.count, lambda: _first_row(model, moment))


def histories(code: str, name: Any) -> Store:
    """All history tables together: evidence too."""

    def oldest() -> datetime | None:
        first = (_first_row(model, "history_date") for model in _history_models())
        return min((moment for moment in first if moment), default=None)

    def count() -> int:
        return sum(model._default_manager.count() for model in _history_models())

    return Store(code, name, _("written"), count, oldest)


def _history_models() -> list[type[models.Model]]:
    """Not the lists of categories beside them: those have no moment of their own."""
    return [model for model in apps.get_models() if issubclass(model, HistoricalChanges) and _has_date(model)]


def _has_date(model: type[models.Model]) -> bool:
    return any(field.name == "history_date" for field in model._meta.get_fields())


def _first_row(model: type[models.Model], moment: str) -> datetime | None:
    first: datetime | None = model._default_manager.order_by("pk").values_list(moment, flat=True).first()
    return first
