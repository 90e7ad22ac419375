"""The floor of the framework: one view that answers everything with the same bytes, through Django and nothing else."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

ANSWER = b"<!doctype html><title>-</title><p>-"


@csrf_exempt
def view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(ANSWER, headers={"Content-Length": str(len(ANSWER))})


urlpatterns = [re_path("", view)]
settings.configure(SECRET_KEY="-", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[], LOGGING_CONFIG=None)
application = get_wsgi_application()
