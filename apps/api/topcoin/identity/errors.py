"""Why identity refuses."""

from topcoin.kernel.errors import Conflict, Invalid


class EmailTaken(Conflict):
    """Somebody has registered with this address, in whatever case."""

    code = "email_taken"


class InvalidEmail(Invalid):
    """What is no e-mail address."""

    code = "invalid_email"


class InvalidProfile(Invalid):
    """A name or a country that cannot be one."""

    code = "invalid_profile"


class InvalidPassword(Invalid):
    """A password that is too short to be one, or too long to be hashed."""

    code = "invalid_password"
