from registry.models.access import AccessSettings, DataExport
from registry.models.audit import AuditEntry
from registry.models.calendar import WorkCalendarOverride
from registry.models.certificates import ErasureCertificate
from registry.models.console import Figure, ReplyTemplate, SavedFilter
from registry.models.holds import LegalHold
from registry.models.incidents import Incident, IncidentNote, IncidentPerson, IncidentSource
from registry.models.ledger import LedgerQueue, LedgerState
from registry.models.memory import RememberedIdentifier
from registry.models.messages import JobRun, OutgoingMessage
from registry.models.operator import LegalGround, Operator, SizeClass
from registry.models.personnel import Appointment, StaffMember
from registry.models.previews import PreviewLine, PurgePreview
from registry.models.processing import Processing
from registry.models.purposes import DataCategory, ProcessingPurpose
from registry.models.recipients import Country, Recipient, RecipientKey
from registry.models.requests import CopyPackage, Deadline, RequestStep, SubjectRequest
from registry.models.retention import DatumTerm, DestructionGround, ErasureRecord, PurgeRun
from registry.models.rules import RetentionSettings, RuleChange, SelfRetentionRule
from registry.models.seals import AuditSeal, AuditVerification
from registry.models.sign_in import Authenticator, Passkey, RecoveryCode, StaffSession
from registry.models.statistics import KeptCount
from registry.models.subjects import DataSubject, DatumKey, PersonalDatum, RetentionDue, SealingKey
from registry.models.transfers import (
    AudienceEntry,
    AudienceHorizon,
    PersonNotice,
    RecipientNotice,
    Transfer,
    TransferCondition,
    TransferLine,
)

__all__ = [
    "AccessSettings",
    "Appointment",
    "AudienceEntry",
    "AudienceHorizon",
    "AuditEntry",
    "AuditSeal",
    "AuditVerification",
    "Authenticator",
    "CopyPackage",
    "Country",
    "DataCategory",
    "DataExport",
    "DataSubject",
    "DatumKey",
    "DatumTerm",
    "Deadline",
    "DestructionGround",
    "ErasureCertificate",
    "ErasureRecord",
    "Figure",
    "Incident",
    "IncidentNote",
    "IncidentPerson",
    "IncidentSource",
    "JobRun",
    "KeptCount",
    "LedgerQueue",
    "LedgerState",
    "LegalGround",
    "LegalHold",
    "Operator",
    "OutgoingMessage",
    "Passkey",
    "PersonNotice",
    "PersonalDatum",
    "PreviewLine",
    "Processing",
    "ProcessingPurpose",
    "PurgePreview",
    "PurgeRun",
    "Recipient",
    "RecipientKey",
    "RecipientNotice",
    "RecoveryCode",
    "RememberedIdentifier",
    "ReplyTemplate",
    "RequestStep",
    "RetentionDue",
    "RetentionSettings",
    "RuleChange",
    "SavedFilter",
    "SealingKey",
    "SelfRetentionRule",
    "SizeClass",
    "StaffMember",
    "StaffSession",
    "SubjectRequest",
    "Transfer",
    "TransferCondition",
    "TransferLine",
    "WorkCalendarOverride",
]
