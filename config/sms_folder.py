"""Messages to phones as files, for a registry without a gateway: one `.sms` per message in $REGISTRY_HOME/sms/."""

from django.conf import settings

from config.mail_folder import write


def send(number: str, text: str, *, key: str) -> None:
    """Sent again under its key, a message takes the place of its first file."""
    write(settings.SMS_FOLDER / f"{key}.sms", f"To: {number}\n\n{text}\n".encode())
