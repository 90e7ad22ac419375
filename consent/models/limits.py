from django.db import models


class Attempt(models.Model):
    """How often something was tried within one window, by a keyed digest of who tried. Forgotten when the window ends.

    The table is unlogged: after a crash of the database everybody starts from zero.
    """

    key = models.BinaryField(max_length=32, primary_key=True)
    count = models.PositiveIntegerField(default=1)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.count}"


class LinkRequest(models.Model):
    """Somebody asked for the link to their consents. Held until a worker has looked whether we know the address.

    The page writes this row for known and unknown addresses alike, so its answer tells nothing, nor does its time.
    """

    index = models.BinaryField(max_length=32)
    language = models.CharField(max_length=2)
    asked_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"№ {self.pk}"
