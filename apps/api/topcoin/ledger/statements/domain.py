"""What a reader of the ledger is shown."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from topcoin.kernel.money import Unit
from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import Book, EntryType


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
