"""The tables of identity: users and their roles, sessions and API keys, and the claims that find them.

Users are spread by their id, so that no key of theirs can be unique over all of them. What must be, or what a user is
found by before it is known which, is claimed in a small table keyed by it alone.
"""

from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, INET
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from topcoin.identity.domain import KYC_REVIEWED, KycStatus
from topcoin.identity.tokens.domain import TOKEN_HASH_BYTES
from topcoin.infra.database.tables import (
    Base,
    CreatedAt,
    CustomerRow,
    EnumText,
    StaffId,
    check,
    not_blank,
    of_user,
    one_of,
    quoted,
)
from topcoin.kernel.access import StaffRole

_FALSE = text("false")
_REVIEWED = quoted(sorted(KYC_REVIEWED))

TokenHash = Annotated[
    bytes,
    mapped_column(LargeBinary, comment="SHA-256 of the token, which itself is kept nowhere", info={"secret": True}),
]
"""What a bearer's secret is found by. It opens nothing, but is nobody's to read all the same."""


class User(Base):
    """A person who can sign in: a customer, or a member of the staff. The house is a user too, who cannot."""

    __tablename__ = "users"
    __table_args__: Any = (
        check("email_form", r"email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND char_length(email) <= 254"),
        not_blank("hashed_password"),
        not_blank("display_name"),
        one_of("kyc_status", KycStatus),
        # IDN-2: each state with its times and its decider, who is another person.
        check("kyc_submitted", "(kyc_status = 'not_submitted') = (kyc_submitted_at IS NULL)"),
        check("kyc_reviewed", f"(kyc_status IN ({_REVIEWED})) = (kyc_reviewed_at IS NOT NULL)"),
        check("kyc_reviewer_named", "(kyc_reviewed_at IS NULL) = (kyc_reviewed_by IS NULL)"),
        check("kyc_reviewed_after_submitted", "kyc_reviewed_at >= kyc_submitted_at"),
        check("kyc_not_reviewed_by_self", "kyc_reviewed_by <> id"),
        # IDN-3, here and for a ban.
        check(
            "kyc_refused_has_reason",
            "kyc_status NOT IN ('rejected', 'revoked') OR coalesce(btrim(kyc_reason), '') <> ''",
        ),
        check("banned_has_reason", "NOT is_banned OR coalesce(btrim(banned_reason), '') <> ''"),
        check("country_form", "country ~ '^[A-Z]{2}$'"),
        check("date_of_birth_possible", "date_of_birth >= date '1900-01-01'"),
        Index(None, "kyc_status", "kyc_submitted_at"),
        Index(None, "kyc_reviewed_at", postgresql_where=text("kyc_reviewed_at IS NOT NULL")),
        Index(None, "created_at"),
        Index(None, "last_login_at", postgresql_where=text("last_login_at IS NOT NULL")),
        Index("ix_users_staff", "id", postgresql_where=text("is_admin")),
        {
            "comment": "Customers and staff. E-mail addresses are unique whatever their case: see user_email_claims",
            # A user is its own customer: the key that other tables call user_id is here called id.
            "info": {"placement": "customer", "customer_key": "id", "grants": ("INSERT", "UPDATE")},
        },
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(comment="As its owner writes it")
    email_verified_at: Mapped[datetime | None]
    hashed_password: Mapped[str] = mapped_column(
        comment="Argon2id in PHC form; '!' fits no password", info={"secret": True}
    )
    display_name: Mapped[str]
    kyc_status: Mapped[KycStatus] = mapped_column(EnumText(KycStatus), server_default=KycStatus.NOT_SUBMITTED)
    kyc_submitted_at: Mapped[datetime | None] = mapped_column(comment="The latest submission")
    kyc_reviewed_at: Mapped[datetime | None] = mapped_column(comment="The review of the latest submission")
    kyc_reviewed_by: Mapped[StaffId | None]
    kyc_reason: Mapped[str | None] = mapped_column(comment="Why it was refused or revoked; read by the customer")
    can_access_trading: Mapped[bool] = mapped_column(
        server_default=_FALSE, comment="True from the first credited deposit on"
    )
    is_admin: Mapped[bool] = mapped_column(server_default=_FALSE, comment="Has a staff role")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_banned: Mapped[bool] = mapped_column(server_default=_FALSE)
    banned_reason: Mapped[str | None] = mapped_column(comment="Read by the customer")
    last_login_at: Mapped[datetime | None]
    country: Mapped[str | None] = mapped_column(comment="Of residence, ISO 3166-1 alpha-2")
    date_of_birth: Mapped[date | None]
    created_at: Mapped[CreatedAt]


class UserEmailClaim(Base):
    """An e-mail address in its normal form, held by one user. Kept by a trigger on `users`, written by nothing else."""

    __tablename__ = "user_email_claims"
    __table_args__: Any = (
        check("email_normal", "email = lower(email)"),
        Index(None, "user_id"),
        {
            "comment": "One row for each e-mail address in use, in lower case; kept by a trigger on users",
            "info": {"placement": "local", "grants": ()},
        },
    )

    email: Mapped[str] = mapped_column(primary_key=True, comment="normal_email(users.email)")
    user_id: Mapped[UUID] = mapped_column(comment="No foreign key: the user lives on another shard")


class UserRole(Base):
    """A role that a member of the staff has, or had."""

    __tablename__ = "user_roles"
    __table_args__: Any = (
        of_user(),
        one_of("role", StaffRole),
        check("revoked_whole", "(revoked_at IS NULL) = (revoked_by IS NULL)"),
        check("not_granted_to_oneself", "granted_by <> user_id"),
        {
            "comment": "Staff roles. A role that was revoked and granted again has its latest times; audits have all",
            "info": {
                "placement": "customer",
                "grants": ("INSERT", "UPDATE (granted_by, granted_at, revoked_by, revoked_at)"),
            },
        },
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[StaffRole] = mapped_column(EnumText(StaffRole), primary_key=True)
    granted_by: Mapped[StaffId]
    granted_at: Mapped[datetime]
    revoked_by: Mapped[StaffId | None]
    revoked_at: Mapped[datetime | None] = mapped_column(comment="NULL while the role is held")


class UserSession(CustomerRow, Base):
    """One sign-in on one device, until it expires, or is revoked."""

    __tablename__ = "user_sessions"
    __table_args__: Any = (
        of_user(),
        UniqueConstraint("user_id", "token_hash"),
        check("token_hash_length", f"octet_length(token_hash) = {TOKEN_HASH_BYTES}"),
        check("expires_after_creation", "expires_at > created_at"),
        check("seen_before_expiry", "last_seen_at BETWEEN created_at AND expires_at"),
        {
            "comment": "Sign-ins, by cookie",
            "info": {
                "placement": "customer",
                "grants": ("INSERT", "UPDATE (last_seen_at, reauthenticated_at, revoked_at)"),
            },
        },
    )

    token_hash: Mapped[TokenHash]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(comment="To about a minute; unused for too long, it has expired")
    reauthenticated_at: Mapped[datetime] = mapped_column(comment="When the password was last given")
    expires_at: Mapped[datetime] = mapped_column(comment="At the latest, however much it is used")
    revoked_at: Mapped[datetime | None]
    ip_address: Mapped[IPv4Address | IPv6Address | None] = mapped_column(INET, comment="Of the sign-in")
    user_agent: Mapped[str | None] = mapped_column(comment="Of the sign-in")


class SessionTokenClaim(Base):
    """Finds whose session a token is of."""

    __tablename__ = "session_token_claims"
    __table_args__: Any = (
        check("token_hash_length", f"octet_length(token_hash) = {TOKEN_HASH_BYTES}"),
        {
            "comment": "One row for each session's token",
            "info": {"placement": "local", "grants": ("INSERT",)},
        },
    )

    token_hash: Mapped[TokenHash] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(comment="No foreign key: the user lives on another shard")


class ApiKey(CustomerRow, Base):
    """A credential for programs. Its secret is shown once, when it is made."""

    __tablename__ = "api_keys"
    __table_args__: Any = (
        of_user(),
        UniqueConstraint("user_id", "token_hash"),
        check("token_hash_length", f"octet_length(token_hash) = {TOKEN_HASH_BYTES}"),
        not_blank("name"),
        not_blank("prefix"),
        check("scopes_named", "cardinality(scopes) > 0 AND array_position(scopes, NULL) IS NULL"),
        check("expires_after_creation", "expires_at > created_at"),
        {
            "comment": "Credentials of programs",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE (last_used_at, revoked_at)")},
        },
    )

    token_hash: Mapped[TokenHash]
    name: Mapped[str] = mapped_column(comment="What its owner calls it")
    prefix: Mapped[str] = mapped_column(comment="How it begins, to recognise it by")
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="Permissions of its owner that it may use")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None] = mapped_column(comment="To about a minute")
    revoked_at: Mapped[datetime | None]


class ApiKeyClaim(Base):
    """Finds whose an API key is."""

    __tablename__ = "api_key_claims"
    __table_args__: Any = (
        check("token_hash_length", f"octet_length(token_hash) = {TOKEN_HASH_BYTES}"),
        {
            "comment": "One row for each API key",
            "info": {"placement": "local", "grants": ("INSERT",)},
        },
    )

    token_hash: Mapped[TokenHash] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(comment="No foreign key: the user lives on another shard")
