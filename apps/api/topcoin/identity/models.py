"""The tables of identity: `users`, and the claims that keep e-mail addresses unique over all of them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.identity.domain import KYC_REVIEWED, KycStatus
from topcoin.infra.database.tables import Base, CreatedAt, EnumText, StaffId, check, not_blank, one_of, quoted

_FALSE = text("false")
_REVIEWED = quoted(sorted(KYC_REVIEWED))


class User(Base):
    """A person who can sign in: a customer, or a member of the staff. The house is a user too, who cannot."""

    __tablename__ = "users"
    __table_args__: Any = (
        check("email_form", r"email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND char_length(email) <= 254"),
        not_blank("hashed_password"),
        not_blank("display_name"),
        one_of("kyc_status", KycStatus),
        check("kyc_submitted", "(kyc_status = 'not_submitted') = (kyc_submitted_at IS NULL)"),
        check("kyc_reviewed", f"(kyc_status IN ({_REVIEWED})) = (kyc_reviewed_at IS NOT NULL)"),
        check("kyc_reviewer_named", "(kyc_reviewed_at IS NULL) = (kyc_reviewed_by IS NULL)"),
        check("kyc_reviewed_after_submitted", "kyc_reviewed_at >= kyc_submitted_at"),
        check("kyc_not_reviewed_by_self", "kyc_reviewed_by <> id"),
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
    """An e-mail address in its normal form, held by one user. Kept by a trigger on `users`, written by nothing else.

    Users are spread by their id, so no unique key of theirs can span all of them; this small table's can.
    """

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
