"""Who a user is and may come in, and the states of their identification (KYC). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from topcoin.kernel.access import ActorKind, StaffRole


class KycStatus(StrEnum):
    """How far a customer's identification has come."""

    NOT_SUBMITTED = "not_submitted"
    AUTO_APPROVED = "auto_approved"
    UNDER_REVIEW = "under_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"


KYC_TRANSITIONS: Final[Mapping[KycStatus, frozenset[KycStatus]]] = MappingProxyType(
    {
        # A submission is approved at once, unless screening finds a name.
        KycStatus.NOT_SUBMITTED: frozenset({KycStatus.AUTO_APPROVED, KycStatus.UNDER_REVIEW}),
        KycStatus.AUTO_APPROVED: frozenset(
            {KycStatus.UNDER_REVIEW, KycStatus.APPROVED, KycStatus.REJECTED, KycStatus.REVOKED}
        ),
        KycStatus.UNDER_REVIEW: frozenset({KycStatus.APPROVED, KycStatus.REJECTED, KycStatus.REVOKED}),
        KycStatus.APPROVED: frozenset({KycStatus.UNDER_REVIEW, KycStatus.REVOKED}),
        # Who was refused may submit again, and is then looked at by a person.
        KycStatus.REJECTED: frozenset({KycStatus.UNDER_REVIEW}),
        KycStatus.REVOKED: frozenset({KycStatus.UNDER_REVIEW}),
    }
)

KYC_REVIEWED: Final = frozenset({KycStatus.APPROVED, KycStatus.REJECTED, KycStatus.REVOKED})
"""The states that a staff member put a customer in."""


@dataclass(frozen=True, slots=True)
class User:
    """A user, as far as others than identity need to know."""

    id: UUID
    email: str
    display_name: str
    kyc_status: KycStatus
    can_access_trading: bool
    is_active: bool
    is_banned: bool
    banned_reason: str | None
    last_login_at: datetime | None
    country: str | None
    created_at: datetime
    roles: frozenset[StaffRole]

    @property
    def kind(self) -> ActorKind:
        """In which capacity the user acts: who has a role is staff."""
        return ActorKind.STAFF if self.roles else ActorKind.CUSTOMER

    @property
    def may_enter(self) -> bool:
        """Whether the user may sign in, and go on with what they have signed in to (IDN-5).

        A ban keeps staff out. It leaves a customer the ways out of trust rule T2: they come in, with fewer permissions.
        """
        return self.is_active and not (self.is_banned and self.roles)
