"""The operator's adjustments, their corrections, and profit approved for payout."""

from decimal import Decimal
from uuid import UUID

from topcoin.kernel.money import scale_amount
from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.events.composing import ZERO, AccountKey, compose, journal_id, key_of, line, require_positive
from topcoin.ledger.posting.domain import Journal, Reference


def _adjustment(adjustment_id: UUID) -> Reference:
    return Reference(ReferenceType.ADMIN_ADJUSTMENT, str(adjustment_id))


def balance_adjusted(account: AccountKey, adjustment_id: UUID, amount: Decimal, *, kind: str, reason: str) -> Journal:
    """The operator adjusts the virtual balance by a signed amount; the customer sees type and reason (P3)."""
    return compose(
        account,
        journal_id("balance_adjusted", adjustment_id),
        "Operator adjustment",
        _adjustment(adjustment_id),
        line(EntryType.ADMIN_ADJUSTMENT, Book.VIRTUAL, HouseBook.OPERATOR_ADJUSTMENT, amount),
        metadata={"adjustment_type": kind, "reason": reason},
    )


def adjustment_corrected(
    figures: AccountFigures, adjustment_id: UUID, amount: Decimal, *, reverses: UUID, reason: str
) -> Journal:
    """An earlier credit of `amount` is taken back; what was traded away since is written off, not owed."""
    require_positive(amount)
    missing = max(ZERO, amount - max(ZERO, figures.virtual))
    return compose(
        key_of(figures),
        journal_id("adjustment_corrected", adjustment_id),
        "Operator adjustment: correction",
        _adjustment(adjustment_id),
        line(EntryType.CORRECTION_WRITEOFF, Book.VIRTUAL, HouseBook.CORRECTION_WRITEOFF, missing),
        line(EntryType.ADMIN_ADJUSTMENT, Book.VIRTUAL, HouseBook.OPERATOR_ADJUSTMENT, -amount),
        metadata={"adjustment_type": "correction", "reason": reason},
        reverses=reverses,
    )


def profit_approved(account: AccountKey, adjustment_id: UUID, redeemed: Decimal, share: Decimal) -> Journal:
    """Virtual profit of `redeemed` VUSD is approved for payout at a share (0 < share ≤ 1), from free funds (P5)."""
    require_positive(redeemed, share)
    return compose(
        account,
        journal_id("profit_approved", adjustment_id),
        "Profit approved for payout",
        _adjustment(adjustment_id),
        line(EntryType.PROFIT_APPROVAL, Book.PROFIT, HouseBook.OPERATOR_FUNDS, scale_amount(redeemed, share)),
        line(EntryType.PROFIT_APPROVAL, Book.VIRTUAL, HouseBook.VIRTUAL_REDEEMED, -redeemed),
        metadata={"share": f"{share:f}"},
    )
