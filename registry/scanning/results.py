"""What came of looking through one place. Names of places and counts, never a value."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

place_names: dict[str, str | Promise] = {
    "broker": _("messages of the broker"),
    "sessions": _("sessions"),
    "files: mail": _("letters kept as files"),
    "files: sms": _("messages to phones kept as files"),
    "files: log": _("logs"),
    "files: home": _("other files of the registry"),
}


@dataclass
class Scan:
    """`looked` counts by kind of thing, `remains` says where how many were found, `unseen` what stayed shut."""

    looked: dict[str, int] = field(default_factory=dict)
    remains: dict[str, int] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def look(self, kind: str, count: int = 1) -> None:
        self.looked[kind] = self.looked.get(kind, 0) + count

    def found(self, place: str, count: int = 1) -> None:
        if count:
            self.remains[place] = self.remains.get(place, 0) + count

    def add(self, other: "Scan") -> None:
        for kind, count in other.looked.items():
            self.look(kind, count)
        for place, count in other.remains.items():
            self.found(place, count)
        self.unseen += other.unseen

    def as_json(self) -> dict[str, Any]:
        return {"looked": self.looked, "remains": self.remains, "unseen": sorted(set(self.unseen))}
