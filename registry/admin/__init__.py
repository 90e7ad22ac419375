from registry.admin import (
    certificates,
    evidence,
    holds,
    operator,
    personnel,
    previews,
    purposes,
    retention_pages,
    rules,
    subjects,
    transfers,
)

__all__ = [
    "certificates",
    "evidence",
    "holds",
    "operator",
    "personnel",
    "previews",
    "purposes",
    "retention_pages",
    "rules",
    "subjects",
    "transfers",
]
