from registry.models.audit import AuditEntry
from registry.models.certificates import ErasureCertificate
from registry.models.holds import LegalHold
from registry.models.ledger import LedgerQueue, LedgerState
from registry.models.memory import RememberedIdentifier
from registry.models.messages import JobRun, OutgoingMessage
from registry.models.operator import LegalGround, Operator
from registry.models.personnel import Appointment, StaffMember
from registry.models.previews import PreviewLine, PurgePreview
from registry.models.processing import Processing
from registry.models.purposes import DataCategory, ProcessingPurpose
from registry.models.requests import Deadline
from registry.models.retention import DatumTerm, DestructionGround, ErasureRecord, PurgeRun
from registry.models.rules import RetentionSettings, RuleChange, SelfRetentionRule
from registry.models.statistics import KeptCount
from registry.models.subjects import DataSubject, DatumKey, PersonalDatum, RetentionDue, SealingKey
from registry.models.transfers import Country, Recipient

__all__ = [
    "Appointment",
    "AuditEntry",
    "Country",
    "DataCategory",
    "DataSubject",
    "DatumKey",
    "DatumTerm",
    "Deadline",
    "DestructionGround",
    "ErasureCertificate",
    "ErasureRecord",
    "JobRun",
    "KeptCount",
    "LedgerQueue",
    "LedgerState",
    "LegalGround",
    "LegalHold",
    "Operator",
    "OutgoingMessage",
    "PersonalDatum",
    "PreviewLine",
    "Processing",
    "ProcessingPurpose",
    "PurgePreview",
    "PurgeRun",
    "Recipient",
    "RememberedIdentifier",
    "RetentionDue",
    "RetentionSettings",
    "RuleChange",
    "SealingKey",
    "SelfRetentionRule",
    "StaffMember",
]
