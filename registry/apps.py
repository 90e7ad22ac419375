from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = _("Personal data registry")

    def ready(self) -> None:
        import_module("registry.work_kinds")  # tells the page Today what there is to do
