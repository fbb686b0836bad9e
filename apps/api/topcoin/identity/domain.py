"""The states of a customer's identification (KYC), and which may follow which. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


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
