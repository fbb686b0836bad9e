"""Money that a customer asks for: held, given back, or paid."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.events.composing import HOUSE, AccountKey, compose, journal_id, line, require_positive
from topcoin.ledger.posting.domain import Journal, Line, Reference


@dataclass(frozen=True, slots=True)
class WithdrawalHold:
    """What a withdrawal took: USD from profit, USD from the deposit, and the VUSD of credit that goes with it."""

    profit: Decimal
    deposit: Decimal
    virtual: Decimal

    @property
    def amount(self) -> Decimal:
        """USD on hold."""
        return self.profit + self.deposit

    @classmethod
    def of(cls, figures: AccountFigures, amount: Decimal) -> "WithdrawalHold":
        """Divide what is asked for: profit first, then deposit, with as much credit as is free."""
        profit = min(amount, figures.profit)
        deposit = amount - profit
        return cls(profit, deposit, min(deposit, figures.virtual_free))

    def part(self, amount: Decimal) -> "WithdrawalHold":
        """The part to give back when the withdrawal is lowered by `amount`: what was taken last goes back first."""
        deposit = min(amount, self.deposit)
        return WithdrawalHold(amount - deposit, deposit, self.virtual - min(self.virtual, self.deposit - deposit))


def _withdrawal(withdrawal_id: UUID) -> Reference:
    return Reference(ReferenceType.WITHDRAWAL, str(withdrawal_id))


def _hold_lines(hold: WithdrawalHold, sign: int) -> tuple[Line | None, ...]:
    kind = EntryType.WITHDRAWAL
    return (
        line(kind, Book.HOLD, Book.PROFIT, sign * hold.profit),
        line(kind, Book.HOLD, Book.DEPOSITED, sign * hold.deposit),
        line(kind, Book.VIRTUAL_HOLD, Book.VIRTUAL, sign * hold.virtual),
    )


def withdrawal_requested(account: AccountKey, withdrawal_id: UUID, hold: WithdrawalHold) -> Journal:
    """The customer asked for money; it moves to hold, so that it cannot be asked for twice."""
    require_positive(hold.amount)
    return compose(
        account,
        journal_id("withdrawal_requested", withdrawal_id),
        "Withdrawal requested",
        _withdrawal(withdrawal_id),
        *_hold_lines(hold, 1),
    )


def withdrawal_released(
    account: AccountKey, withdrawal_id: UUID, revision: int, hold: WithdrawalHold, *, why: str
) -> Journal:
    """A withdrawal, or a part of it, was refused, cancelled or lowered: the exact reverse of what was taken."""
    require_positive(hold.amount)
    return compose(
        account,
        journal_id("withdrawal_released", withdrawal_id, revision),
        f"Withdrawal {why}",
        _withdrawal(withdrawal_id),
        *_hold_lines(hold, -1),
    )


def withdrawal_completed(
    account: AccountKey,
    withdrawal_id: UUID,
    hold: WithdrawalHold,
    *,
    network_fee: Decimal,
    processing_fee: Decimal,
    wallet_id: UUID,
) -> Journal:
    """The payout arrived: the whole hold leaves, less fees as the payout, and its credit with it."""
    sent = hold.amount - network_fee - processing_fee
    require_positive(sent)
    kind = EntryType.WITHDRAWAL
    return compose(
        account,
        journal_id("withdrawal_completed", withdrawal_id),
        "Withdrawal completed",
        _withdrawal(withdrawal_id),
        line(kind, Book.HOLD, HouseBook.PAYOUTS_IN_TRANSIT, -sent),
        line(EntryType.NETWORK_FEE, Book.HOLD, HouseBook.CUSTODY, -network_fee, wallet_id if network_fee else None),
        line(EntryType.PROCESSING_FEE, Book.HOLD, HouseBook.PROCESSING_FEES, -processing_fee),
        line(kind, Book.VIRTUAL_HOLD, HouseBook.VIRTUAL_CREDIT, -hold.virtual),
    )


def payout_sent(withdrawal_id: UUID, attempt: int, amount: Decimal, wallet_id: UUID) -> Journal:
    """A payout left custody: what is held falls, and its book stays below zero until the payout has arrived."""
    require_positive(amount)
    return compose(
        HOUSE,
        journal_id("payout_sent", withdrawal_id, attempt),
        f"Payout sent, attempt {attempt}",
        _withdrawal(withdrawal_id),
        line(EntryType.PAYOUT, HouseBook.PAYOUTS_IN_TRANSIT, HouseBook.CUSTODY, -amount, wallet_id),
    )


def payout_failed(withdrawal_id: UUID, attempt: int, amount: Decimal, wallet_id: UUID) -> Journal:
    """A payout came back: the reverse of its sending."""
    require_positive(amount)
    return compose(
        HOUSE,
        journal_id("payout_failed", withdrawal_id, attempt),
        f"Payout came back, attempt {attempt}",
        _withdrawal(withdrawal_id),
        line(EntryType.PAYOUT, HouseBook.PAYOUTS_IN_TRANSIT, HouseBook.CUSTODY, amount, wallet_id),
        reverses=journal_id("payout_sent", withdrawal_id, attempt),
    )
