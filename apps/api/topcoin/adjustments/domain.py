"""The kinds and states of an operator's adjustment. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from topcoin.kernel.money import Unit


class AdjustmentType(StrEnum):
    """Why the operator changes a balance."""

    MANUAL_PROFIT = "manual_profit"
    MANUAL_LOSS = "manual_loss"
    RETURN_UPDATE = "return_update"
    EQUITY_ADJUSTMENT = "equity_adjustment"
    CORRECTION = "correction"
    BONUS = "bonus"
    FEE_REFUND = "fee_refund"
    PROFIT_APPROVAL = "profit_approval"

    @property
    def unit(self) -> Unit:
        """Approved profit is real money; everything else changes the virtual balance."""
        return Unit.USD if self is AdjustmentType.PROFIT_APPROVAL else Unit.VUSD


CREDITS_ONLY: Final = frozenset(
    {AdjustmentType.MANUAL_PROFIT, AdjustmentType.BONUS, AdjustmentType.FEE_REFUND, AdjustmentType.PROFIT_APPROVAL}
)
"""What can only give."""

DEBITS_ONLY: Final = frozenset({AdjustmentType.MANUAL_LOSS})
"""What can only take."""

TWO_PEOPLE_FROM: Final = Decimal(1000)
"""From this amount on, either way, an adjustment wants two people (P8); an operator's own limit may only be lower."""


class AdjustmentStatus(StrEnum):
    """Whether an adjustment has been decided; approved means posted."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


ADJUSTMENT_TRANSITIONS: Final[Mapping[AdjustmentStatus, frozenset[AdjustmentStatus]]] = MappingProxyType(
    {
        AdjustmentStatus.PENDING: frozenset(
            {AdjustmentStatus.APPROVED, AdjustmentStatus.REJECTED, AdjustmentStatus.EXPIRED}
        ),
        AdjustmentStatus.APPROVED: frozenset(),
        AdjustmentStatus.REJECTED: frozenset(),
        AdjustmentStatus.EXPIRED: frozenset(),
    }
)
