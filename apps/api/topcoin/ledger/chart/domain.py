"""Books, entry types, and the table of entries that may be written (LED-1).

A *book* is one balance. A customer's account has seven books; the house has contra books that stand on the other side.
One entry moves an amount into `book` (out of it where the amount is negative) against `contra`. `ENTRY_RULES` lists
every combination of entry type, book, contra, direction and kind of source that exists; the database's CHECK
constraints hold the same table, so that what is not listed cannot be written by anyone.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from uuid import UUID

from topcoin.kernel.money import Unit

HOUSE_ID = UUID("00000000-0000-7000-8000-000000000001")
"""The house: the id of its user and of its one account."""


class Book(StrEnum):
    """The seven balances of a customer's account."""

    DEPOSITED = "deposited"
    PROFIT = "profit"
    REVIEW = "review"
    HOLD = "hold"
    VIRTUAL = "virtual"
    VIRTUAL_HOLD = "virtual_hold"
    ALLOCATED = "allocated"


class HouseBook(StrEnum):
    """The contra books of the house. USD down to `credit_losses`, VUSD from `virtual_credit` on."""

    CUSTODY = "custody"
    OPERATOR_FUNDS = "operator_funds"
    UNALLOCATED = "unallocated"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit"
    NETWORK_FEES = "network_fees"
    PROCESSING_FEES = "processing_fees"
    VALUATION = "valuation"
    CREDIT_LOSSES = "credit_losses"
    VIRTUAL_CREDIT = "virtual_credit"
    OPERATOR_ADJUSTMENT = "operator_adjustment"
    SIMULATED_MARKET = "simulated_market"
    SIMULATED_FEES = "simulated_fees"
    SIMULATED_FINANCING = "simulated_financing"
    SIMULATED_PROTECTION = "simulated_protection"
    SIMULATED_PLAN_RETURNS = "simulated_plan_returns"
    SIMULATED_PLAN_FEES = "simulated_plan_fees"
    VIRTUAL_REDEEMED = "virtual_redeemed"
    CORRECTION_WRITEOFF = "correction_writeoff"


AnyBook = Book | HouseBook

USD_BOOKS: frozenset[AnyBook] = frozenset({Book.DEPOSITED, Book.PROFIT, Book.REVIEW, Book.HOLD}) | frozenset(
    {
        HouseBook.CUSTODY,
        HouseBook.OPERATOR_FUNDS,
        HouseBook.UNALLOCATED,
        HouseBook.PAYOUTS_IN_TRANSIT,
        HouseBook.NETWORK_FEES,
        HouseBook.PROCESSING_FEES,
        HouseBook.VALUATION,
        HouseBook.CREDIT_LOSSES,
    }
)

HOUSE_FUNDS_BOOKS = frozenset(
    {HouseBook.OPERATOR_FUNDS, HouseBook.NETWORK_FEES, HouseBook.VALUATION, HouseBook.CREDIT_LOSSES}
)
"""The books whose legs add up to `house_funds`: what the operator put in, less what the house has borne."""


def parse_book(name: str) -> AnyBook:
    """The book of that name; ValueError where there is none."""
    try:
        return Book(name)
    except ValueError:
        return HouseBook(name)


def unit_of(book: AnyBook) -> Unit:
    """The one unit that a book is kept in."""
    return Unit.USD if book in USD_BOOKS else Unit.VUSD


class EntryType(StrEnum):
    """What happened, in the words that a statement shows."""

    DEPOSIT = "deposit"
    DEPOSIT_RETURN = "deposit_return"
    WITHDRAWAL = "withdrawal"
    NETWORK_FEE = "network_fee"
    PROCESSING_FEE = "processing_fee"
    ADMIN_ADJUSTMENT = "admin_adjustment"
    CORRECTION_WRITEOFF = "correction_writeoff"
    PROFIT_APPROVAL = "profit_approval"
    TRADE_PNL = "trade_pnl"
    FEE = "fee"
    FINANCING = "financing"
    PROTECTION = "protection"
    PLAN_INVESTMENT = "plan_investment"
    PLAN_REDEMPTION = "plan_redemption"
    PLAN_RETURN = "plan_return"
    PLAN_FEE = "plan_fee"
    UNMATCHED_RECEIPT = "unmatched_receipt"
    PAYOUT = "payout"
    OPERATOR_FUNDING = "operator_funding"
    VALUATION = "valuation"
    CREDIT_LOSS = "credit_loss"


class ReferenceType(StrEnum):
    """The kind of source event that an entry names; each is the singular of the table that holds it."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    ADMIN_ADJUSTMENT = "admin_adjustment"
    ORDER = "order"
    POSITION = "position"
    USER_INVESTMENT = "user_investment"
    IPN_EVENT = "ipn_event"
    WALLET = "wallet"


class Direction(Enum):
    """Which sign an amount may have."""

    IN = "+"
    OUT = "-"
    BOTH = "+-"


@dataclass(frozen=True, slots=True)
class EntryRule:
    """One kind of entry that may exist."""

    entry_type: EntryType
    book: AnyBook
    contra: AnyBook
    direction: Direction
    references: frozenset[ReferenceType]

    @property
    def is_house(self) -> bool:
        """Whether the entry stands on the house's own account."""
        return isinstance(self.book, HouseBook)


def _rules(
    entry_type: EntryType,
    references: set[ReferenceType],
    *moves: tuple[AnyBook, AnyBook, Direction],
) -> list[EntryRule]:
    return [EntryRule(entry_type, book, contra, direction, frozenset(references)) for book, contra, direction in moves]


def _entry_rules() -> tuple[EntryRule, ...]:
    entry, source, own, house = EntryType, ReferenceType, Book, HouseBook
    into, out, both = Direction.IN, Direction.OUT, Direction.BOTH
    return (
        *_rules(
            entry.DEPOSIT,
            {source.DEPOSIT},
            (own.DEPOSITED, house.CUSTODY, into),
            (own.DEPOSITED, own.REVIEW, into),
            (own.REVIEW, house.CUSTODY, into),
            (own.REVIEW, house.UNALLOCATED, into),
            (own.VIRTUAL, house.VIRTUAL_CREDIT, into),
        ),
        *_rules(
            entry.DEPOSIT_RETURN,
            {source.DEPOSIT},
            (own.REVIEW, house.CUSTODY, out),
            (own.DEPOSITED, house.CUSTODY, out),
            (own.VIRTUAL, house.VIRTUAL_CREDIT, out),
        ),
        *_rules(
            entry.WITHDRAWAL,
            {source.WITHDRAWAL},
            (own.HOLD, own.PROFIT, both),
            (own.HOLD, own.DEPOSITED, both),
            (own.VIRTUAL_HOLD, own.VIRTUAL, both),
            (own.HOLD, house.PAYOUTS_IN_TRANSIT, out),
            (own.VIRTUAL_HOLD, house.VIRTUAL_CREDIT, out),
        ),
        *_rules(
            entry.NETWORK_FEE,
            {source.WITHDRAWAL, source.DEPOSIT},
            (own.HOLD, house.CUSTODY, out),
            (own.REVIEW, house.CUSTODY, out),
        ),
        *_rules(entry.NETWORK_FEE, {source.WITHDRAWAL, source.WALLET}, (house.NETWORK_FEES, house.CUSTODY, out)),
        *_rules(entry.PROCESSING_FEE, {source.WITHDRAWAL}, (own.HOLD, house.PROCESSING_FEES, out)),
        *_rules(
            entry.ADMIN_ADJUSTMENT,
            {source.ADMIN_ADJUSTMENT},
            (own.VIRTUAL, house.OPERATOR_ADJUSTMENT, both),
        ),
        *_rules(
            entry.CORRECTION_WRITEOFF,
            {source.ADMIN_ADJUSTMENT},
            (own.VIRTUAL, house.CORRECTION_WRITEOFF, into),
        ),
        *_rules(
            entry.PROFIT_APPROVAL,
            {source.ADMIN_ADJUSTMENT},
            (own.PROFIT, house.OPERATOR_FUNDS, into),
            (own.VIRTUAL, house.VIRTUAL_REDEEMED, out),
        ),
        *_rules(entry.TRADE_PNL, {source.POSITION}, (own.VIRTUAL, house.SIMULATED_MARKET, both)),
        *_rules(entry.FEE, {source.ORDER, source.POSITION}, (own.VIRTUAL, house.SIMULATED_FEES, out)),
        *_rules(entry.FINANCING, {source.POSITION}, (own.VIRTUAL, house.SIMULATED_FINANCING, both)),
        *_rules(entry.PROTECTION, {source.POSITION}, (own.VIRTUAL, house.SIMULATED_PROTECTION, into)),
        *_rules(entry.PLAN_INVESTMENT, {source.USER_INVESTMENT}, (own.ALLOCATED, own.VIRTUAL, into)),
        *_rules(entry.PLAN_REDEMPTION, {source.USER_INVESTMENT}, (own.VIRTUAL, own.ALLOCATED, into)),
        *_rules(entry.PLAN_RETURN, {source.USER_INVESTMENT}, (own.VIRTUAL, house.SIMULATED_PLAN_RETURNS, both)),
        *_rules(entry.PLAN_FEE, {source.USER_INVESTMENT}, (own.VIRTUAL, house.SIMULATED_PLAN_FEES, out)),
        *_rules(entry.UNMATCHED_RECEIPT, {source.IPN_EVENT}, (house.UNALLOCATED, house.CUSTODY, into)),
        *_rules(entry.PAYOUT, {source.WITHDRAWAL}, (house.PAYOUTS_IN_TRANSIT, house.CUSTODY, both)),
        *_rules(entry.OPERATOR_FUNDING, {source.WALLET}, (house.OPERATOR_FUNDS, house.CUSTODY, both)),
        *_rules(entry.VALUATION, {source.WALLET}, (house.VALUATION, house.CUSTODY, both)),
        *_rules(entry.CREDIT_LOSS, {source.DEPOSIT}, (house.CREDIT_LOSSES, house.CUSTODY, out)),
    )


ENTRY_RULES = _entry_rules()


def allowed_entries() -> list[str]:
    """Every permitted `entry_type/unit/book/contra/sign/reference_type`, as the CHECK's function compares them."""
    return sorted(
        f"{rule.entry_type}/{unit_of(rule.book)}/{rule.book}/{rule.contra}/{sign}/{reference}"
        for rule in ENTRY_RULES
        for sign in rule.direction.value
        for reference in rule.references
    )
