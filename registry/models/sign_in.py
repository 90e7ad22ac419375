"""How staff prove who they are beyond a password, and where they are signed in."""

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.utils.translation import gettext_lazy as _


class Authenticator(models.Model):
    """A program that shows one-time codes (RFC 6238). The secret is wrapped by a master key; a code works once."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="authenticators", verbose_name=_("staff member")
    )
    wrapped = models.BinaryField()
    last_step = models.BigIntegerField(default=0)  # of the last code that was taken
    added_at = models.DateTimeField(_("added at"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    used_at = models.DateTimeField(_("last used at"), null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.pk}"


class Passkey(models.Model):
    """A public key whose other half never leaves a device (W3C Web Authentication)."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="passkeys", verbose_name=_("staff member")
    )
    name = models.CharField(_("name"), max_length=50)
    credential_id = models.BinaryField(max_length=1023, unique=True)
    public_key = models.BinaryField()
    sign_count = models.BigIntegerField(default=0)
    added_at = models.DateTimeField(_("added at"))
    used_at = models.DateTimeField(_("last used at"), null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """A code on paper for the day the phone is lost. Kept is a digest of a random text; it works once."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="recovery_codes", verbose_name=_("staff member")
    )
    digest = models.BinaryField(max_length=32, unique=True)
    made_at = models.DateTimeField(_("made at"))
    used_at = models.DateTimeField(_("used at"), null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.pk}"


class StaffSession(models.Model):
    """One place where a member of the staff is signed in; it goes with the session it describes."""

    session = models.OneToOneField(Session, models.CASCADE, primary_key=True, related_name="staff_session")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="staff_sessions", verbose_name=_("staff member")
    )
    began_at = models.DateTimeField(_("began at"))
    seen_at = models.DateTimeField(_("last seen at"))
    verified_at = models.DateTimeField(_("second factor at"), null=True)
    address = models.GenericIPAddressField(_("network address"), null=True)
    browser = models.CharField(_("browser"), max_length=200, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.began_at:%d.%m.%Y %H:%M}"
