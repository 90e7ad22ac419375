from django.contrib.admin.apps import AdminConfig
from django.core import checks

from config import sms_http


class ConsoleConfig(AdminConfig):
    default_site = "config.console.ConsoleSite"

    def ready(self) -> None:
        super().ready()
        checks.register(sms_http.check, checks.Tags.security, deploy=True)
