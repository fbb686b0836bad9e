"""The documents of sign-in and of `me`."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, IPvAnyAddress, SecretStr

from topcoin.http.schemas import Instant, Schema
from topcoin.identity.api_keys.domain import NAME_LENGTH_MAX, ApiKey
from topcoin.identity.domain import KycStatus, User
from topcoin.identity.passwords.service import PASSWORD_LENGTH_MAX
from topcoin.identity.sessions.domain import UserSession
from topcoin.kernel.access import Permission, StaffRole

_EMAIL_LENGTH_MAX: Final = 320
_NAME_LENGTH_MAX: Final = 1000
_SCOPES_MAX: Final = len(Permission)

Password = Annotated[SecretStr, Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)]
"""Never shown, neither by an error nor in a log."""


class Login(Schema):
    """Who wants to sign in."""

    email: str = Field(max_length=_EMAIL_LENGTH_MAX, examples=["ada@example.com"])
    password: Password


class Reauthentication(Schema):
    """The password once more."""

    password: Password


class UserSchema(Schema):
    """Who is signed in."""

    id: UUID
    email: str
    display_name: str
    country: str | None
    kyc_status: KycStatus
    can_access_trading: bool
    roles: list[StaffRole] = Field(description="Of the staff; empty for customers.")
    last_login_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, user: User) -> "UserSchema":
        """The document of a user."""
        return cls(
            id=user.id,
            email=user.email,
            display_name=user.display_name,
            country=user.country,
            kyc_status=user.kyc_status,
            can_access_trading=user.can_access_trading,
            roles=sorted(user.roles),
            last_login_at=user.last_login_at,
            created_at=user.created_at,
        )


class SignedInSchema(Schema):
    """A sign-in that succeeded; the session's cookie comes beside it."""

    user: UserSchema
    csrf_token: str = Field(description="To be sent as X-CSRF-Token with whatever is not a GET.")
    expires_at: Instant = Field(description="When the session ends at the latest.")


class Me(Schema):
    """Who is signed in, and by what."""

    user: UserSchema
    csrf_token: str | None = Field(description="Of the session; null with an API key.")


class ProfileChange(Schema):
    """What a user may change about themselves."""

    display_name: str = Field(max_length=_NAME_LENGTH_MAX)


class ReauthenticatedSchema(Schema):
    """When the password was last given."""

    reauthenticated_at: Instant


class SessionSchema(Schema):
    """A live session."""

    id: UUID
    is_current: bool = Field(description="Whether it is the one that asks.")
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant
    ip_address: IPvAnyAddress | None
    user_agent: str | None

    @classmethod
    def of(cls, session: UserSession, current: UUID | None) -> "SessionSchema":
        """The document of a session."""
        return cls(
            id=session.id,
            is_current=session.id == current,
            created_at=session.created_at,
            last_seen_at=session.last_seen_at,
            expires_at=session.expires_at,
            ip_address=session.ip_address,
            user_agent=session.user_agent,
        )


class ApiKeyRequest(Schema):
    """A key that is to be made."""

    name: str = Field(max_length=NAME_LENGTH_MAX, examples=["Bookkeeping"])
    scopes: list[Permission] = Field(min_length=1, max_length=_SCOPES_MAX)
    expires_at: Instant | None = Field(default=None, description="Within a year; in 90 days, if it is not given.")


class ApiKeySchema(Schema):
    """A key, without its secret."""

    id: UUID
    name: str
    prefix: str = Field(description="How the key begins.")
    scopes: list[Permission]
    created_at: Instant
    expires_at: Instant
    last_used_at: Instant | None = Field(description="To about a minute.")
    revoked_at: Instant | None

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeySchema":
        """The document of a key."""
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
        )


class NewApiKeySchema(Schema):
    """A key that was just made."""

    api_key: ApiKeySchema
    secret: str = Field(description="The key itself. It is shown here once and kept nowhere.")
