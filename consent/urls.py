from django.urls import path

from consent import views

urlpatterns = [
    path("policy/", views.policy, name="policy"),
    path("consent/", views.consent, name="consent"),
    path("confirm/<str:token>/", views.confirm, name="confirm"),
]
