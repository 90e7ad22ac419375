from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from consent import views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("", views.home, name="home"),
    path("u/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("receipts/key.pem", views.receipt_key, name="receipt_key"),
    path("api/v1/", include("consent.api.urls")),
    path("admin/language/", set_language, name="set_language"),  # under /admin/, where the cookie lives
    path("admin/", admin.site.urls),
    *i18n_patterns(path("", include("consent.urls"))),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
