"""What a reader of the ledger is shown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from topcoin.kernel.money import Unit
from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import Book, EntryType
from topcoin.ledger.errors import InvalidPeriod


class Source(StrEnum):
    """What a balance is made of, in the customer's words (promise P2)."""

    DEPOSITS = "deposits"
    WITHDRAWALS = "withdrawals"
    FEES = "fees"
    OPERATOR_ADJUSTMENTS = "operator_adjustments"
    APPROVED_PROFIT = "approved_profit"
    SIMULATED_TRADING = "simulated_trading"
    SIMULATED_FEES = "simulated_fees"
    SIMULATED_FINANCING = "simulated_financing"
    PROTECTION = "protection"
    PLANS = "plans"


_SOURCES = {
    EntryType.DEPOSIT: Source.DEPOSITS,
    EntryType.DEPOSIT_RETURN: Source.DEPOSITS,
    EntryType.WITHDRAWAL: Source.WITHDRAWALS,
    EntryType.NETWORK_FEE: Source.FEES,
    EntryType.PROCESSING_FEE: Source.FEES,
    EntryType.ADMIN_ADJUSTMENT: Source.OPERATOR_ADJUSTMENTS,
    EntryType.CORRECTION_WRITEOFF: Source.OPERATOR_ADJUSTMENTS,
    EntryType.PROFIT_APPROVAL: Source.APPROVED_PROFIT,
    EntryType.TRADE_PNL: Source.SIMULATED_TRADING,
    EntryType.FEE: Source.SIMULATED_FEES,
    EntryType.FINANCING: Source.SIMULATED_FINANCING,
    EntryType.PROTECTION: Source.PROTECTION,
    EntryType.PLAN_INVESTMENT: Source.PLANS,
    EntryType.PLAN_REDEMPTION: Source.PLANS,
    EntryType.PLAN_RETURN: Source.PLANS,
    EntryType.PLAN_FEE: Source.PLANS,
}


class Origin(StrEnum):
    """Whether a part of a simulated balance was given to the customer, or earned by trading, or came of plans (T6)."""

    GIVEN = "given"
    """Credit that came with deposits, and the operator's adjustments."""
    EARNED = "earned"
    """By simulated trading, costs included, less what of it was redeemed as approved profit."""
    PLANS = "plans"


_ORIGINS = {
    Source.DEPOSITS: Origin.GIVEN,
    Source.WITHDRAWALS: Origin.GIVEN,
    Source.OPERATOR_ADJUSTMENTS: Origin.GIVEN,
    Source.APPROVED_PROFIT: Origin.EARNED,
    Source.SIMULATED_TRADING: Origin.EARNED,
    # It bounds a trading loss.
    Source.PROTECTION: Origin.EARNED,
    Source.SIMULATED_FEES: Origin.EARNED,
    Source.SIMULATED_FINANCING: Origin.EARNED,
    Source.PLANS: Origin.PLANS,
}


def source_of(entry_type: str) -> Source:
    """The source that an entry on a customer's account counts to."""
    return _SOURCES[EntryType(entry_type)]


@dataclass(frozen=True, slots=True)
class SourceAmount:
    """What one source contributed to a balance, signed."""

    source: Source
    amount: Decimal


Breakdown = dict[Book, list[SourceAmount]]
"""For each book, the sources that make it up; the amounts add up to its balance."""

Balances = dict[Book, Decimal]


def by_origin(amounts: Iterable[SourceAmount]) -> dict[Origin, Decimal]:
    """What of a simulated balance was given, earned, and came of plans; the three add up to the balance."""
    sums = dict.fromkeys(Origin, Decimal(0))
    for each in amounts:
        sums[_ORIGINS[each.source]] += each.amount
    return sums


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement of one book: an entry seen from one of its sides."""

    entry: Entry
    amount: Decimal
    balance_after: Decimal


@dataclass(frozen=True, slots=True)
class BookStatement:
    """The movements of one book in a period, oldest first; opening plus movements is closing."""

    book: Book
    unit: Unit
    opening: Decimal
    lines: tuple[StatementLine, ...]
    closing: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """An account's statement for `start` ≤ time < `end`: real and simulated books apart (promise P1)."""

    start: datetime
    end: datetime
    real: tuple[BookStatement, ...]
    simulated: tuple[BookStatement, ...]


_PERIOD: Final = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2}))?|(?P<first>\d{4}-\d{2}-\d{2})\.\.(?P<last>\d{4}-\d{2}-\d{2})", re.ASCII
)

_YEAR_MIN: Final = 2000


def parse_period(text: str) -> tuple[datetime, datetime]:
    """The start and the end (not included) of a period in UTC: `2026`, `2026-01`, or `2026-01-05..2026-01-11`.

    The last day of a range belongs to it. Raises InvalidPeriod.
    """
    found = _PERIOD.fullmatch(text)
    try:
        if found is None:
            raise InvalidPeriod(f"{text[:40]!r} is no period; write 2026, 2026-01 or 2026-01-05..2026-01-11")
        if found["first"]:
            first, end = date.fromisoformat(found["first"]), date.fromisoformat(found["last"]) + timedelta(days=1)
        else:
            first = date(int(found["year"]), int(found["month"] or 1), 1)
            end = _first_of_next_month(first) if found["month"] else date(first.year + 1, 1, 1)
    except (ValueError, OverflowError):
        raise InvalidPeriod(f"{text!r} names a day, a month or a year that there is not; check it") from None
    if first.year < _YEAR_MIN:
        raise InvalidPeriod(f"{text!r} begins before there were accounts; begin in {_YEAR_MIN} or later")
    if first >= end:
        raise InvalidPeriod(f"{text!r} ends before it starts; write the earlier day first")
    return _midnight(first), _midnight(end)


def _first_of_next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
