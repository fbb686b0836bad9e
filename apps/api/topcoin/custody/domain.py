"""The states of deposits and withdrawals, and which may follow which. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DepositStatus(StrEnum):
    """How far a deposit has come. Confirmed means credited."""

    PENDING = "pending"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    UNDER_REVIEW = "under_review"
    PARTIALLY_PAID = "partially_paid"
    EXPIRED = "expired"
    FAILED = "failed"
    RETURNED = "returned"
    REFUNDED = "refunded"


DEPOSIT_TRANSITIONS: Final[Mapping[DepositStatus, frozenset[DepositStatus]]] = MappingProxyType(
    {
        DepositStatus.PENDING: frozenset(
            {
                DepositStatus.CONFIRMING,
                DepositStatus.CONFIRMED,
                DepositStatus.UNDER_REVIEW,
                DepositStatus.PARTIALLY_PAID,
                DepositStatus.EXPIRED,
                DepositStatus.FAILED,
                DepositStatus.REFUNDED,
            }
        ),
        DepositStatus.CONFIRMING: frozenset(
            {
                DepositStatus.CONFIRMED,
                DepositStatus.UNDER_REVIEW,
                DepositStatus.PARTIALLY_PAID,
                DepositStatus.FAILED,
                DepositStatus.REFUNDED,
            }
        ),
        # What was paid short waits for staff, as everything else that is not paid in full does.
        DepositStatus.PARTIALLY_PAID: frozenset({DepositStatus.UNDER_REVIEW, DepositStatus.REFUNDED}),
        DepositStatus.UNDER_REVIEW: frozenset(
            {DepositStatus.CONFIRMED, DepositStatus.RETURNED, DepositStatus.REFUNDED}
        ),
        # Money that comes late goes to review.
        DepositStatus.EXPIRED: frozenset({DepositStatus.UNDER_REVIEW}),
        DepositStatus.FAILED: frozenset({DepositStatus.UNDER_REVIEW, DepositStatus.REFUNDED}),
        DepositStatus.CONFIRMED: frozenset({DepositStatus.REFUNDED}),
        DepositStatus.RETURNED: frozenset(),
        DepositStatus.REFUNDED: frozenset(),
    }
)


class WithdrawalStatus(StrEnum):
    """How far a withdrawal has come."""

    PENDING = "pending"
    APPROVED = "approved"
    PROCESSING = "processing"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED_REVIEW = "failed_review"


WITHDRAWAL_TRANSITIONS: Final[Mapping[WithdrawalStatus, frozenset[WithdrawalStatus]]] = MappingProxyType(
    {
        WithdrawalStatus.PENDING: frozenset(
            {WithdrawalStatus.APPROVED, WithdrawalStatus.REJECTED, WithdrawalStatus.CANCELLED}
        ),
        WithdrawalStatus.APPROVED: frozenset({WithdrawalStatus.PROCESSING, WithdrawalStatus.REJECTED}),
        WithdrawalStatus.PROCESSING: frozenset({WithdrawalStatus.COMPLETED, WithdrawalStatus.FAILED_REVIEW}),
        # A person confirms what became of a failed payout: it went through after all, is tried again, or is refused.
        WithdrawalStatus.FAILED_REVIEW: frozenset(
            {WithdrawalStatus.PROCESSING, WithdrawalStatus.COMPLETED, WithdrawalStatus.REJECTED}
        ),
        WithdrawalStatus.COMPLETED: frozenset(),
        WithdrawalStatus.REJECTED: frozenset(),
        WithdrawalStatus.CANCELLED: frozenset(),
    }
)

WITHDRAWAL_APPROVED: Final = frozenset(
    {
        WithdrawalStatus.APPROVED,
        WithdrawalStatus.PROCESSING,
        WithdrawalStatus.COMPLETED,
        WithdrawalStatus.FAILED_REVIEW,
    }
)
"""The states that only an approved withdrawal reaches."""
