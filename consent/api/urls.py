from django.urls import path

from consent.api.audience import audience
from consent.api.suppression import suppression, suppression_check

urlpatterns = [
    path("audience/<slug:purpose>/", audience, name="api_audience"),
    path("suppression/<slug:purpose>/", suppression, name="api_suppression"),
    path("suppression/<slug:purpose>/check", suppression_check, name="api_suppression_check"),
]
