from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConsentConfig(AppConfig):
    name = "consent"
    verbose_name = _("Consent and policy")

    def ready(self) -> None:
        import_module("consent.letters")  # tells the outbox how its letters are written
        import_module("consent.request_letters")  # and those about requests
        import_module("consent.telling")  # and the one that tells a person of a transfer
        import_module("consent.requests")  # tells requests how consents are withdrawn
        import_module("consent.mailbox")  # tells requests how e-mail goes over, the residual scan where it lies
        import_module("consent.copying")  # tells the copy of a person's data what consent keeps
        import_module("consent.transfers")  # tells transfers which consents name a recipient
        import_module("consent.traces")  # tells self-retention what consent keeps
        import_module("consent.today")  # tells the page Today what consent counts and waits for
