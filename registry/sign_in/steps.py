"""What is still wanted between the password and the console, read from facts: nobody gets past by an address."""

from enum import StrEnum

from registry.models import StaffMember


class Step(StrEnum):
    FACTOR = "factor"  # show the second factor
    PASSWORD = "password"  # noqa: S105 (choose one: the present one lay in a file or in somebody's hands)
    ENROL = "enrol"  # set up a second factor
    CODES = "codes"  # take the recovery codes


def wanted(person: StaffMember, *, factor_shown: bool) -> Step | None:
    """The next step of somebody whose password was right; None: all the way in.

    Who has a second factor shows it before anything else: a one-time password alone changes nothing.
    """
    has_factor = has_second_factor(person)
    if has_factor and not factor_shown:
        return Step.FACTOR
    if person.has_one_time_password:
        return Step.PASSWORD
    if not has_factor:
        return Step.ENROL
    return None if person.recovery_codes.exists() else Step.CODES


def has_second_factor(person: StaffMember) -> bool:
    """Recovery codes alone are none: they are for the day it is lost."""
    return person.authenticators.filter(confirmed_at__isnull=False).exists() or person.passkeys.exists()
