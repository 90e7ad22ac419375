"""Audit, retention, outbox and jobs: what happened, read-only."""

from django.contrib import admin

from registry.admin.base import EvidenceAdmin, PeopleAdmin
from registry.models import AuditEntry, ErasureRecord, JobRun, OutgoingMessage, PurgeRun


@admin.register(AuditEntry)
class AuditEntryAdmin(PeopleAdmin):
    list_display = ["at", "actor", "system", "operation", "subject", "object_type", "object_id", "reason"]
    list_filter = ["operation"]
    list_select_related = ["actor", "subject"]


@admin.register(PurgeRun)
class PurgeRunAdmin(EvidenceAdmin):
    list_display = ["__str__", "as_of", "started_at", "finished_at", "subjects", "data"]


@admin.register(ErasureRecord)
class ErasureRecordAdmin(PeopleAdmin):
    list_display = ["datum_id", "subject", "category", "ground", "purpose", "rule_version", "at", "run"]
    list_filter = ["ground", "category"]
    list_select_related = ["subject", "category", "purpose", "run"]


@admin.register(OutgoingMessage)
class OutgoingMessageAdmin(PeopleAdmin):
    list_display = ["__str__", "letter", "subject", "state", "attempts", "queued_at", "sent_at", "last_error"]
    list_filter = ["state", "letter"]
    list_select_related = ["subject"]


@admin.register(JobRun)
class JobRunAdmin(EvidenceAdmin):
    list_display = ["name", "started_at", "finished_at", "succeeded_at", "outcome"]
