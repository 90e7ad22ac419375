"""The Celery application and the only list of periodic jobs.

The truth is in PostgreSQL rows; the broker only wakes a worker, so every job may be lost, doubled or late.
"""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("config")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Hours are UTC: 22:10 is 03:10 in Almaty.
app.conf.beat_schedule = {
    "apply-rules": {"task": "registry.tasks.apply_rules", "schedule": crontab(hour=21, minute=20)},
    "recount": {"task": "registry.tasks.recount", "schedule": crontab(hour=21, minute=40)},
    "purge": {"task": "registry.tasks.purge", "schedule": crontab(hour=22, minute=10)},
    "self-retention": {"task": "registry.tasks.self_retention", "schedule": crontab(hour=22, minute=40)},
    "expire-unconfirmed": {"task": "consent.tasks.expire_unconfirmed", "schedule": crontab(minute=5)},
    "requests": {"task": "registry.tasks.requests", "schedule": crontab(minute=15)},
    "finish-erasures": {"task": "registry.tasks.finish_erasures", "schedule": 300.0},
    "exports": {"task": "registry.tasks.exports", "schedule": 60.0},
    "copies": {"task": "registry.tasks.copies", "schedule": 60.0},
    "transfer": {"task": "registry.tasks.transfer", "schedule": 60.0},
    "tell-recipients": {"task": "registry.tasks.tell_recipients", "schedule": crontab(minute=35)},
    "tell-people": {"task": "registry.tasks.tell_people", "schedule": crontab(minute=40)},
    "alarms": {"task": "registry.tasks.alarms", "schedule": 600.0},
    "ask-anew": {"task": "consent.tasks.ask_anew", "schedule": 60.0},
    "send-links": {"task": "consent.tasks.send_links", "schedule": 60.0},
    "read-mailbox": {"task": "consent.tasks.read_mailbox", "schedule": 60.0},
    "send-mail": {"task": "registry.tasks.send_mail", "schedule": 60.0},
    "write-ledger": {"task": "registry.tasks.write_ledger", "schedule": 60.0},
    "count-figures": {"task": "registry.tasks.count_figures", "schedule": 600.0},
    "seal-audit": {"task": "registry.tasks.seal_audit", "schedule": 300.0},
    "mail-checkpoint": {"task": "registry.tasks.mail_checkpoint", "schedule": crontab(minute=25)},
    "verify-audit": {"task": "registry.tasks.verify_audit", "schedule": crontab(hour=23, minute=10)},
    "watchdog": {"task": "registry.tasks.watchdog", "schedule": crontab(minute="*/10")},
}
