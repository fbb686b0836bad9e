"""Documents of accounts and their ledgers. Real and simulated money are in separate objects and never added up (P1)."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from topcoin.http.schemas import Amount, Instant, Natural, Schema
from topcoin.kernel.money import Unit
from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import Book, EntryType, ReferenceType
from topcoin.ledger.domain import PositionMode
from topcoin.ledger.statements.domain import (
    BookStatement,
    Breakdown,
    Origin,
    Source,
    SourceAmount,
    Statement,
    StatementLine,
    by_origin,
)

Money = Literal["real", "simulated"]
"""What an amount is: dollars that are owed, or simulated ones."""

_MONEY: Final[dict[str, Money]] = {Unit.USD: "real", Unit.VUSD: "simulated"}


def money_of(unit: str) -> Money:
    """How amounts of a unit are labelled."""
    return _MONEY[unit]


# -- Accounts --------------------------------------------------------------------------------------------------------


class RealSchema(Schema):
    """What is owed to the customer, in dollars."""

    currency: Literal["USD"] = "USD"
    deposited: Amount
    approved_profit: Amount
    under_review: Amount = Field(description="Received, and not usable before a review has ended.")
    on_hold: Amount = Field(description="Reserved for withdrawals in progress.")
    withdrawable: Amount = Field(description="What can be asked for: deposited and approved profit.")


class SimulatedSchema(Schema):
    """What the account trades with. None of it is owed to the customer."""

    currency: Literal["VUSD"] = "VUSD"
    label: Literal["simulated"] = "simulated"
    balance: Amount
    on_hold: Amount = Field(description="Leaves with withdrawals in progress.")
    allocated: Amount = Field(description="Placed in plans, at cost.")
    equity: Amount = Field(description="Balance and hold with the results of open positions, when last valued.")
    margin_used: Amount
    margin_available: Amount


class AccountSchema(Schema):
    """An account: real and simulated money apart."""

    id: UUID
    user_id: UUID
    is_active: bool
    is_frozen: bool
    position_mode: PositionMode
    real: RealSchema
    simulated: SimulatedSchema
    entry_count: Natural = Field(description="The sequence of the newest entry of its ledger.")

    @classmethod
    def of(cls, figures: AccountFigures) -> "AccountSchema":
        """The document of an account's figures."""
        return cls(
            id=figures.account_id,
            user_id=figures.user_id,
            is_active=figures.is_active,
            is_frozen=figures.is_frozen,
            position_mode=figures.position_mode,
            real=RealSchema(
                deposited=figures.deposited,
                approved_profit=figures.profit,
                under_review=figures.review,
                on_hold=figures.hold,
                withdrawable=figures.withdrawable,
            ),
            simulated=SimulatedSchema(
                balance=figures.virtual,
                on_hold=figures.virtual_hold,
                allocated=figures.allocated,
                equity=figures.equity,
                margin_used=figures.margin_used,
                margin_available=figures.margin_available,
            ),
            entry_count=figures.entry_count,
        )


# -- What a balance is made of ---------------------------------------------------------------------------------------


class SourceSchema(Schema):
    """What one source contributed to a balance, signed."""

    source: Source
    amount: Amount

    @classmethod
    def all_of(cls, amounts: Sequence[SourceAmount]) -> "list[SourceSchema]":
        """The documents of a balance's sources."""
        return [cls(source=each.source, amount=each.amount) for each in amounts]


class OriginsSchema(Schema):
    """What of the simulated balance was given, earned by trading, and came of plans; they add up to it (T6)."""

    given: Amount
    earned: Amount
    plans: Amount


class RealBreakdownSchema(Schema):
    """For each real balance its sources, which add up to it."""

    currency: Literal["USD"] = "USD"
    deposited: list[SourceSchema]
    approved_profit: list[SourceSchema]
    under_review: list[SourceSchema]
    on_hold: list[SourceSchema]


class SimulatedBreakdownSchema(Schema):
    """For each simulated balance its sources, which add up to it."""

    currency: Literal["VUSD"] = "VUSD"
    label: Literal["simulated"] = "simulated"
    balance: list[SourceSchema]
    balance_by_origin: OriginsSchema
    on_hold: list[SourceSchema]
    allocated: list[SourceSchema]


class BreakdownSchema(Schema):
    """What each balance of an account is made of, summed from its ledger (P2)."""

    account_id: UUID
    real: RealBreakdownSchema
    simulated: SimulatedBreakdownSchema

    @classmethod
    def of(cls, account_id: UUID, breakdown: Breakdown) -> "BreakdownSchema":
        """The document of a breakdown."""
        sources = {book: SourceSchema.all_of(amounts) for book, amounts in breakdown.items()}
        origins = by_origin(breakdown[Book.VIRTUAL])
        return cls(
            account_id=account_id,
            real=RealBreakdownSchema(
                deposited=sources[Book.DEPOSITED],
                approved_profit=sources[Book.PROFIT],
                under_review=sources[Book.REVIEW],
                on_hold=sources[Book.HOLD],
            ),
            simulated=SimulatedBreakdownSchema(
                balance=sources[Book.VIRTUAL],
                balance_by_origin=OriginsSchema(
                    given=origins[Origin.GIVEN], earned=origins[Origin.EARNED], plans=origins[Origin.PLANS]
                ),
                on_hold=sources[Book.VIRTUAL_HOLD],
                allocated=sources[Book.ALLOCATED],
            ),
        )


# -- Entries ---------------------------------------------------------------------------------------------------------


class ReferenceSchema(Schema):
    """The event that an entry comes from."""

    type: ReferenceType
    id: str


class EntrySchema(Schema):
    """One entry of the ledger: `amount`, signed, enters `book` against `contra`."""

    account_id: UUID
    sequence: Natural = Field(description="1, 2, 3 … within the account, without gaps.")
    journal_id: UUID = Field(description="Entries of one event have one journal.")
    entry_type: EntryType
    book: str
    contra: str
    unit: Unit
    money: Money = Field(description="Whether the amount is real or simulated.")
    amount: Amount
    balance_after: Amount | None = Field(description="Of the book; null in the house's own account.")
    contra_balance_after: Amount | None = Field(description="Of the contra, where it is a book of the account.")
    description: str
    reference: ReferenceSchema
    metadata: dict[str, Any] = Field(description="Of an operator's adjustment, its type and reason.")
    reverses: UUID | None = Field(description="The journal that this one takes back.")
    created_at: Instant
    entry_hash: str = Field(description="SHA-256 over this entry and the hash of the one before, in hexadecimal.")

    @classmethod
    def of(cls, entry: Entry) -> "EntrySchema":
        """The document of an entry, unchecked: what comes of the ledger is sound, and pages have hundreds of them."""
        return cls.model_construct(
            account_id=entry.account_id,
            sequence=entry.sequence,
            journal_id=entry.journal_id,
            entry_type=EntryType(entry.entry_type),
            book=entry.book,
            contra=entry.contra,
            unit=Unit(entry.unit),
            money=money_of(entry.unit),
            amount=entry.amount,
            balance_after=entry.balance_after,
            contra_balance_after=entry.contra_balance_after,
            description=entry.description,
            reference=_reference_of(entry),
            metadata=json.loads(entry.metadata),
            reverses=entry.reverses,
            created_at=entry.created_at,
            entry_hash=entry.entry_hash.hex(),
        )


def _reference_of(entry: Entry) -> ReferenceSchema:
    return ReferenceSchema.model_construct(type=ReferenceType(entry.reference_type), id=entry.reference_id)


# -- Statements ------------------------------------------------------------------------------------------------------


class StatementLineSchema(Schema):
    """One movement of a book."""

    sequence: Natural
    journal_id: UUID
    created_at: Instant
    entry_type: EntryType
    description: str
    reference: ReferenceSchema
    metadata: dict[str, Any] = Field(description="Of an operator's adjustment, its type and reason.")
    amount: Amount = Field(description="Signed, as this book sees it.")
    balance_after: Amount

    @classmethod
    def of(cls, line: StatementLine) -> "StatementLineSchema":
        """The document of a movement."""
        entry = line.entry
        return cls(
            sequence=entry.sequence,
            journal_id=entry.journal_id,
            created_at=entry.created_at,
            entry_type=EntryType(entry.entry_type),
            description=entry.description,
            reference=_reference_of(entry),
            metadata=json.loads(entry.metadata),
            amount=line.amount,
            balance_after=line.balance_after,
        )


class BookStatementSchema(Schema):
    """The movements of one book, the oldest first: opening balance and movements make the closing balance."""

    book: Book
    opening_balance: Amount
    total: Amount = Field(description="The sum of the movements.")
    closing_balance: Amount
    lines: list[StatementLineSchema]

    @classmethod
    def all_of(cls, books: Sequence[BookStatement]) -> "list[BookStatementSchema]":
        """The documents of some books."""
        return [
            cls(
                book=each.book,
                opening_balance=each.opening,
                total=sum((line.amount for line in each.lines), Decimal(0)),
                closing_balance=each.closing,
                lines=[StatementLineSchema.of(line) for line in each.lines],
            )
            for each in books
        ]


class RealStatementSchema(Schema):
    """The books of real money."""

    currency: Literal["USD"] = "USD"
    books: list[BookStatementSchema]


class SimulatedStatementSchema(Schema):
    """The books of simulated money."""

    currency: Literal["VUSD"] = "VUSD"
    label: Literal["simulated"] = "simulated"
    books: list[BookStatementSchema]


class StatementSchema(Schema):
    """An account's statement for `start` ≤ time < `end`, in UTC; real and simulated books apart (P1)."""

    account_id: UUID
    period: str
    start: Instant
    end: Instant
    real: RealStatementSchema
    simulated: SimulatedStatementSchema

    @classmethod
    def of(cls, account_id: UUID, period: str, statement: Statement) -> "StatementSchema":
        """The document of a statement."""
        return cls(
            account_id=account_id,
            period=period,
            start=statement.start,
            end=statement.end,
            real=RealStatementSchema(books=BookStatementSchema.all_of(statement.real)),
            simulated=SimulatedStatementSchema(books=BookStatementSchema.all_of(statement.simulated)),
        )
