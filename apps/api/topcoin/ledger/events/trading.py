"""Results, costs and protection of simulated trading."""

from decimal import Decimal
from uuid import UUID

from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.events.composing import ZERO, AccountKey, compose, journal_id, key_of, line, require_positive
from topcoin.ledger.posting.domain import Journal, Reference


def trade_closed(
    figures: AccountFigures,
    position_id: UUID,
    fill_no: int,
    pnl: Decimal,
    *,
    commission: Decimal = ZERO,
    financing: Decimal = ZERO,
    is_last: bool,
) -> Journal | None:
    """A fill closed a position or a part of it: signed result, commission, signed financing (VUSD).

    When the last position of the account closes below zero, protection lifts the balance to exactly zero. None where
    nothing moved.
    """
    end = figures.virtual + pnl - commission + financing
    protection = -end if is_last and end < 0 else ZERO
    if not (pnl or commission or financing or protection):
        return None
    return compose(
        key_of(figures),
        journal_id("trade_closed", position_id, fill_no),
        "Simulated trade closed",
        Reference(ReferenceType.POSITION, str(position_id)),
        line(EntryType.TRADE_PNL, Book.VIRTUAL, HouseBook.SIMULATED_MARKET, pnl),
        line(EntryType.FEE, Book.VIRTUAL, HouseBook.SIMULATED_FEES, -commission),
        line(EntryType.FINANCING, Book.VIRTUAL, HouseBook.SIMULATED_FINANCING, financing),
        line(EntryType.PROTECTION, Book.VIRTUAL, HouseBook.SIMULATED_PROTECTION, protection),
    )


def commission_charged(account: AccountKey, order_id: UUID, fill_no: int, commission: Decimal) -> Journal:
    """A fill that opened a position cost a commission (VUSD)."""
    require_positive(commission)
    return compose(
        account,
        journal_id("commission_charged", order_id, fill_no),
        "Simulated commission",
        Reference(ReferenceType.ORDER, str(order_id)),
        line(EntryType.FEE, Book.VIRTUAL, HouseBook.SIMULATED_FEES, -commission),
    )


def financing_charged(account: AccountKey, position_id: UUID, day: str, amount: Decimal) -> Journal:
    """A position was held over the end of a day (ISO date): a signed financing amount (VUSD)."""
    return compose(
        account,
        journal_id("financing_charged", position_id, day),
        f"Simulated financing for {day}",
        Reference(ReferenceType.POSITION, str(position_id)),
        line(EntryType.FINANCING, Book.VIRTUAL, HouseBook.SIMULATED_FINANCING, amount),
    )
