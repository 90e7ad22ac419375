from django.urls import path

from consent import views

urlpatterns = [
    path("policy/", views.policy, name="policy"),
    path("policy/versions/", views.policy_versions, name="policy_versions"),
    path("policy/<int:number>/", views.policy_version, name="policy_version"),
    path("policy/compare/<int:old>/<int:new>/", views.policy_comparison, name="policy_comparison"),
    path("consent/", views.consent, name="consent"),
    path("consent/again/<str:token>/", views.again, name="again"),
    path("code/<str:token>/", views.code, name="code"),
    path("confirm/<str:token>/", views.confirm, name="confirm"),
    path("represent/<str:token>/", views.represent, name="represent"),
    path("mine/", views.send_link, name="send_link"),
    path("mine/<str:token>/", views.mine, name="mine"),
    path("request/", views.ask_request, name="request"),
    path("request/again/<str:token>/", views.ask_request_again, name="request_again"),
    path("request/confirm/<str:token>/", views.confirm_request, name="request_confirm"),
    path("request/state/<str:token>/", views.request_state, name="request_state"),
    path("new_address/<str:token>/", views.new_address, name="new_address"),
    path("receipt/<str:token>/", views.receipt, name="receipt"),
    path("receipt/<str:token>/receipt.json", views.receipt_document, name="receipt_document"),
    path("receipt/<str:token>/signature.json", views.receipt_signature, name="receipt_signature"),
    path("receipt/<str:token>/evidence.zip", views.receipt_evidence, name="receipt_evidence"),
]
