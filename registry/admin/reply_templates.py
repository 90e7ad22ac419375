"""Texts staff reply with: one place for them, so that everybody answers alike, in the person's language."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from registry.admin.base import ConfigurationAdmin
from registry.models import ReplyTemplate


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(ConfigurationAdmin):
    list_display = ["code", "title_kk", "title_ru", "title_en"]
    fieldsets = [
        (
            None,
            {
                "fields": ["code"],
                "description": _(
                    "Write what holds for everybody. Names, addresses and numbers of people stay out: "
                    "this text and its history are kept for ever."
                ),
            },
        ),
        (_("Kazakh"), {"fields": ["title_kk", "text_kk"]}),
        (_("Russian"), {"fields": ["title_ru", "text_ru"]}),
        (_("English"), {"fields": ["title_en", "text_en"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code"] if obj else []  # replies name it
