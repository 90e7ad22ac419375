"""The content a new registry starts with: operator, sizes of operators, legal grounds, approved list, purposes,
deadlines, reply templates.

Loaded once. What is there already is left alone: it is the operator's, edited in the console with history.
"""

import tomllib
from pathlib import Path
from typing import Any

from django.db import models, transaction

from registry.models import (
    AccessSettings,
    Country,
    DataCategory,
    Deadline,
    LegalGround,
    Operator,
    ProcessingPurpose,
    ReplyTemplate,
    RetentionSettings,
    SelfRetentionRule,
    SizeClass,
)

CONTENT = Path(__file__).parent / "content"
BASED_ON_CONSENT = "consent"


@transaction.atomic
def load() -> int:
    """Adds what is missing; returns how many rows."""
    before = _count()
    if not Operator.objects.exists():
        Operator.objects.create(pk=1, **_read("operator"))
    RetentionSettings.objects.get_or_create(pk=1)
    AccessSettings.objects.get_or_create(pk=1)
    _add_missing(SelfRetentionRule, _read("trace"))
    _add_missing(SizeClass, _read("size"))
    _add_missing(LegalGround, _read("ground"))
    _add_missing(Country, _read("country"))
    _add_missing(DataCategory, _read("category"))
    _add_missing(ReplyTemplate, _read("reply"))
    grounds = {ground.code: ground for ground in LegalGround.objects.all()}
    _add_missing(Deadline, [row | {"ground": grounds[row["ground"]]} for row in _read("deadline")])
    for row in _read("purpose"):
        _add_purpose(row, grounds)
    return _count() - before


def _read(name: str) -> Any:
    """The entries of one file: `ground` lies in grounds.toml, `operator` in operator.toml."""
    path = next(CONTENT.glob(f"{name.removesuffix('y')}*.toml"))
    return tomllib.loads(path.read_text(encoding="utf-8"))[name]


def _add_missing(model: type[models.Model], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        model._default_manager.get_or_create(code=row["code"], defaults=row)


def _add_purpose(row: dict[str, Any], grounds: dict[str, LegalGround]) -> None:
    categories, basis = row.pop("categories"), row.pop("basis")
    ground = None if basis == BASED_ON_CONSENT else grounds[basis]
    purpose, is_new = ProcessingPurpose.objects.get_or_create(code=row["code"], defaults=row | {"ground": ground})
    if is_new or not purpose.categories.exists():  # an earlier version may have needed nothing for it
        purpose.categories.set(DataCategory.objects.filter(code__in=categories))
        purpose.save()  # history notes the categories too


def _count() -> int:
    return sum(
        model._default_manager.count()
        for model in (
            Operator,
            LegalGround,
            Country,
            DataCategory,
            Deadline,
            ProcessingPurpose,
            RetentionSettings,
            AccessSettings,
            SelfRetentionRule,
            ReplyTemplate,
            SizeClass,
        )
    )
