from django.db import models
from django.utils.translation import get_language

LANGUAGES = ("kk", "ru", "en")


class Translated(models.Model):
    """A row with texts in three languages: `name_kk`, `name_ru`, `name_en`. Kazakh stands in for a missing one."""

    class Meta:
        abstract = True

    def text(self, field: str, language: str | None = None) -> str:
        return getattr(self, f"{field}_{language or get_language() or 'kk'}", "") or getattr(self, f"{field}_kk")
