"""A list's filter kept under a name, each member of the staff for himself.

Kept is what the list's own filters offer, never what was sent: a search term or a made-up value in the address is left
behind.
"""

from copy import copy
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from registry.admin.base import staff_member
from registry.models import SavedFilter
from registry.normalise import check_reason

LONGEST = 500  # characters of a query, as the model has them


class NameForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the filter"), max_length=50, validators=[check_reason])


def urls(site: AdminSite) -> list[URLPattern]:
    """The two addresses, for the console's site."""

    def save(request: HttpRequest, page: str) -> HttpResponse:
        return save_view(request, listed(site, request, page), page)

    return [
        path("filters/<slug:page>/save/", site.admin_view(require_POST(save)), name="save_filter"),
        path("filters/<int:filter_id>/forget/", site.admin_view(require_POST(forget_view)), name="forget_filter"),
    ]


def page_of(model_admin: ModelAdmin) -> str:
    """`registry_auditentry`, as the console's addresses name it."""
    return f"{model_admin.opts.app_label}_{model_admin.opts.model_name}"


def listed(site: AdminSite, request: HttpRequest, page: str) -> ModelAdmin:
    """The admin whose list this is. Raises Http404 for no list, PermissionDenied for one this person may not see."""
    for model_admin in site._registry.values():
        if page_of(model_admin) == page:
            if not model_admin.has_view_or_change_permission(request):
                raise PermissionDenied
            return model_admin
    raise Http404


def save_view(request: HttpRequest, model_admin: ModelAdmin, page: str) -> HttpResponse:
    """POST `name` and `query`, the address the list had. Back to the list; the same name again is a change of it."""
    form, query = NameForm(request.POST), offered(model_admin, request, request.POST.get("query", ""))
    if problem := _problem(form, query):
        messages.error(request, problem)
    else:
        own = {"person": staff_member(request), "page": page, "name": form.cleaned_data["name"]}
        SavedFilter.objects.update_or_create(**own, defaults={"query": query})
        messages.success(request, _("The filter is saved. Only you see it."))
    return redirect(f"{reverse(f'admin:{page}_changelist')}?{query}")


def _problem(form: NameForm, query: str) -> str:
    if not query:
        return _("Choose a filter first: there is nothing to save.")
    if len(query) > LONGEST:
        return _("This filter is too long to be saved.")
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def forget_view(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Takes one of one's own filters away."""
    kept = get_object_or_404(SavedFilter, pk=filter_id, person=staff_member(request))
    kept.delete()
    messages.success(request, _("The filter is no longer saved."))
    return redirect(f"admin:{kept.page}_changelist")


def offered(model_admin: ModelAdmin, request: HttpRequest, query: str) -> str:
    """What the list's filters make of a query string: the choices that are chosen, in their own words."""
    looked_at = copy(request)
    looked_at.method, looked_at.GET = "GET", QueryDict(query)
    try:
        changelist = model_admin.get_changelist_instance(looked_at)
    except (IncorrectLookupParameters, DisallowedModelAdminLookup):
        return ""
    chosen = (pair for spec in changelist.filter_specs for pair in _chosen(spec, changelist))
    return urlencode(list(dict.fromkeys(chosen)))


def _chosen(spec: Any, changelist: Any) -> list[tuple[str, str]]:
    """Names and values of one filter, out of the addresses of its chosen choices."""
    addresses = [
        one["query_string"] for one in spec.choices(changelist) if one.get("selected") and "query_string" in one
    ]
    given = [QueryDict(address.removeprefix("?")) for address in addresses]
    expected = spec.expected_parameters()
    return [(name, value) for one in given for name in expected for value in one.getlist(name)]
