"""Virtual money placed in plans, and what comes back. All amounts are VUSD."""

from decimal import Decimal
from uuid import UUID

from topcoin.ledger.chart.domain import Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.events.composing import AccountKey, compose, journal_id, line, require_positive
from topcoin.ledger.posting.domain import Journal, Reference


def _investment(investment_id: UUID) -> Reference:
    return Reference(ReferenceType.USER_INVESTMENT, str(investment_id))


def plan_invested(account: AccountKey, investment_id: UUID, purchase_no: int, amount: Decimal) -> Journal:
    """The customer places virtual money in a plan, at cost."""
    require_positive(amount)
    return compose(
        account,
        journal_id("plan_invested", investment_id, purchase_no),
        "Placed in a plan",
        _investment(investment_id),
        line(EntryType.PLAN_INVESTMENT, Book.ALLOCATED, Book.VIRTUAL, amount),
    )


def plan_redeemed(
    account: AccountKey, investment_id: UUID, redemption_no: int, cost: Decimal, gain: Decimal
) -> Journal:
    """Units were redeemed: their cost comes back, and a signed gain with it."""
    require_positive(cost)
    return compose(
        account,
        journal_id("plan_redeemed", investment_id, redemption_no),
        "Redeemed from a plan",
        _investment(investment_id),
        line(EntryType.PLAN_REDEMPTION, Book.VIRTUAL, Book.ALLOCATED, cost),
        line(EntryType.PLAN_RETURN, Book.VIRTUAL, HouseBook.SIMULATED_PLAN_RETURNS, gain),
    )


def plan_fee_charged(account: AccountKey, investment_id: UUID, period: str, fee: Decimal) -> Journal:
    """A management or performance fee of a period."""
    require_positive(fee)
    return compose(
        account,
        journal_id("plan_fee_charged", investment_id, period),
        f"Plan fee for {period}",
        _investment(investment_id),
        line(EntryType.PLAN_FEE, Book.VIRTUAL, HouseBook.SIMULATED_PLAN_FEES, -fee),
    )
