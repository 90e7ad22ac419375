from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import get_language_from_request, override
from django.views.decorators.http import require_safe

from registry.keyring import Sealed
from registry.recovery import Recovering, must_be_ready


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 `ok` if the database answers, is up to date and its keys open, else 503; nothing else."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        must_be_ready()
    except (DatabaseFailure, Sealed, Recovering):
        return HttpResponse("unavailable", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    with override(get_language_from_request(request)):
        response = redirect("consent")
    response["Vary"] = "Accept-Language"
    return response
