"""Audit, retention, outbox and jobs: what happened, read-only."""

from django.apps import apps
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from registry.admin.base import EvidenceAdmin, PeopleAdmin
from registry.admin.by_person import ByPerson
from registry.admin.filters import DateRange
from registry.admin.subject_page import letter_names, system_names
from registry.models import AuditEntry, ErasureRecord, JobRun, OutgoingMessage, PurgeRun


class ByStaff(admin.RelatedFieldListFilter):
    """Without the choice "nobody": that is most of the audit."""

    @property
    def include_empty_choice(self) -> bool:
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(PeopleAdmin):
    list_display = ["at", "actor", "job_or_page", "operation", "subject", "what", "object_id", "reason"]
    list_filter = ["operation", ("actor", ByStaff), ByPerson, ("at", DateRange)]
    list_select_related = ["actor", "subject"]
    ordering = ["-at", "-pk"]

    @admin.display(description=_("job or page"))
    def job_or_page(self, entry: AuditEntry) -> str:
        return str(system_names.get(entry.system, entry.system))

    @admin.display(description=_("object"))
    def what(self, entry: AuditEntry) -> str:
        """The kind of row in words, where there still is such a kind."""
        try:
            return str(apps.get_model(entry.object_type)._meta.verbose_name)
        except (LookupError, ValueError):
            return entry.object_type


@admin.register(PurgeRun)
class PurgeRunAdmin(EvidenceAdmin):
    list_display = ["__str__", "as_of", "started_at", "finished_at", "subjects", "data"]


@admin.register(ErasureRecord)
class ErasureRecordAdmin(PeopleAdmin):
    list_display = ["datum_id", "subject", "category", "ground", "purpose", "rule_version", "at", "run"]
    list_filter = ["ground", ByPerson]
    list_select_related = ["subject", "category", "purpose", "run"]


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(PeopleAdmin):
    fields = ["what", "subject", "purpose", "language", "state", "attempts", "queued_at", "sent_at", "last_error"]
    readonly_fields = ["what"]
    list_display = ["__str__", "what", "subject", "state", "attempts", "queued_at", "sent_at", "last_error"]
    list_filter = ["state", ByPerson]
    list_select_related = ["subject"]

    @admin.display(description=_("letter"))
    def what(self, message: OutgoingMessage) -> str:
        return str(letter_names.get(message.letter, message.letter))


@admin.register(JobRun)
class JobRunAdmin(EvidenceAdmin):
    list_display = ["name", "started_at", "finished_at", "succeeded_at", "outcome"]
