"""Why identity refuses."""

from topcoin.kernel.errors import Conflict, Forbidden, Invalid, NotFound, RuleBroken, Unavailable


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


class SignInsBusy(Unavailable):
    """More sign-ins at one moment than are worked on or kept waiting."""

    code = "sign_ins_busy"


class UserInactive(Forbidden):
    """The password is right, and the user has been switched off."""

    code = "user_inactive"


class UserBanned(Forbidden):
    """The password is right, and the user has been banned."""

    code = "user_banned"


class WrongPassword(Forbidden):
    """Somebody who is signed in gave another password than theirs."""

    code = "wrong_password"


class ReauthenticationRequired(Forbidden):
    """What is asked for takes a password given a short while ago."""

    code = "reauthentication_required"


class SessionNotFound(NotFound):
    """No live session of this user's has the id."""

    code = "session_not_found"


class ApiKeyNotFound(NotFound):
    """No API key of this user's has the id."""

    code = "api_key_not_found"


class InvalidApiKey(Invalid):
    """A name, a scope or an expiry that an API key cannot have."""

    code = "invalid_api_key"


class TooManyApiKeys(RuleBroken):
    """The user has as many live keys as one may have."""

    code = "too_many_api_keys"


class UserNotFound(NotFound):
    """No user has the id."""

    code = "user_not_found"


class RoleUnchanged(Conflict):
    """The role is held already, or is not held."""

    code = "role_unchanged"


class OwnRoles(Forbidden):
    """Somebody tried to grant themselves a role, or to take one from themselves."""

    code = "own_roles"
