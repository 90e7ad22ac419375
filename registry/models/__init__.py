from registry.models.audit import AuditEntry
from registry.models.holds import LegalHold
from registry.models.messages import JobRun, OutgoingMessage
from registry.models.operator import LegalGround, Operator
from registry.models.personnel import Appointment, StaffMember
from registry.models.processing import Processing
from registry.models.purposes import DataCategory, ProcessingPurpose
from registry.models.requests import Deadline
from registry.models.retention import DatumTerm, DestructionGround, ErasureRecord, PurgeRun
from registry.models.subjects import DataSubject, DatumKey, PersonalDatum, RetentionDue, SealingKey

__all__ = [
    "Appointment",
    "AuditEntry",
    "DataCategory",
    "DataSubject",
    "DatumKey",
    "DatumTerm",
    "Deadline",
    "DestructionGround",
    "ErasureRecord",
    "JobRun",
    "LegalGround",
    "LegalHold",
    "Operator",
    "OutgoingMessage",
    "PersonalDatum",
    "Processing",
    "ProcessingPurpose",
    "PurgeRun",
    "RetentionDue",
    "SealingKey",
    "StaffMember",
]
