"""The five roles as the console shows them: read-only, with what each may do in words."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext as in_language
from django.utils.translation import gettext_lazy

from registry import roles
from registry.admin.base import Audited

ACTS = {"view": gettext_lazy("May see"), "add": gettext_lazy("May add"), "change": gettext_lazy("May change")}


class RolesField(forms.ModelMultipleChoiceField):
    """Boxes to tick, each with what the role is for."""

    def __init__(self, queryset: QuerySet[Group]) -> None:
        text = gettext_lazy("A role opens people only together with an appointment in force.")
        widget = forms.CheckboxSelectMultiple()
        super().__init__(queryset, widget=widget, required=False, label=gettext_lazy("Roles"), help_text=text)

    def label_from_instance(self, obj: Any) -> str:
        task = str(roles.MATRIX[obj.name].task) if obj.name in roles.MATRIX else ""
        return format_html('{} <span class="quiet">{}</span>', roles.name_of(obj), task)


def in_words(permissions: Iterable[Permission]) -> list[tuple[str, str]]:
    """What a role may: the act, and on what; acts of their own last."""
    told: dict[str, list[str]] = {str(label): [] for label in ACTS.values()}
    own: list[str] = []
    for permission in permissions:
        act, _under, model = permission.codename.partition("_")
        kind = permission.content_type.model_class()
        if act in ACTS and model == permission.content_type.model and kind:
            told[str(ACTS[act])].append(str(kind._meta.verbose_name_plural))
        else:
            own.append(in_language(permission.name))  # marked where the model names it
    lines = [(act, ", ".join(sorted(names))) for act, names in told.items() if names]
    return [*lines, *((_("Also"), text) for text in own)]


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(Audited, GroupAdmin):
    """The program's roles, to be read: what each may is written in the program, and nobody makes another one here."""

    list_display = ["role", "task", "people"]
    search_fields = []
    ordering = ["pk"]
    fields = ("role", "task", "may")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        working = Count("user", filter=Q(user__is_active=True))
        return super().get_queryset(request).annotate(people=working)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("role"))
    def role(self, group: Group) -> str:
        return roles.name_of(group)

    @admin.display(description=gettext_lazy("what for"))
    def task(self, group: Group) -> str:
        return str(roles.MATRIX[group.name].task) if group.name in roles.MATRIX else ""

    @admin.display(description=gettext_lazy("staff at work"))
    def people(self, group: Any) -> int:
        return int(group.people)

    @admin.display(description=gettext_lazy("what they may do"))
    def may(self, group: Group) -> str:
        permissions = group.permissions.select_related("content_type").order_by("content_type__model", "codename")
        rows = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", in_words(permissions))
        return format_html('<dl class="facts">{}</dl>', rows)
