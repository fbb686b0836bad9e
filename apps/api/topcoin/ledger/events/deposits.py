"""Money that arrives for a customer, and what becomes of it."""

from decimal import Decimal
from uuid import UUID

from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.events.composing import HOUSE, ZERO, AccountKey, compose, journal_id, key_of, line, require_positive
from topcoin.ledger.posting.domain import Journal, Line, Reference


def _deposit(deposit_id: UUID) -> Reference:
    return Reference(ReferenceType.DEPOSIT, str(deposit_id))


def _credit(figures: AccountFigures, amount: Decimal) -> Line | None:
    """The virtual credit that a deposit brings, less what is still due from earlier withdrawals."""
    return line(EntryType.DEPOSIT, Book.VIRTUAL, HouseBook.VIRTUAL_CREDIT, max(ZERO, amount - figures.credit_due))


def deposit_credited(figures: AccountFigures, deposit_id: UUID, amount: Decimal, wallet_id: UUID) -> Journal:
    """A deposit arrived and is credited: `amount` in USD, and its virtual credit."""
    require_positive(amount)
    return compose(
        key_of(figures),
        journal_id("deposit_credited", deposit_id),
        "Deposit credited",
        _deposit(deposit_id),
        line(EntryType.DEPOSIT, Book.DEPOSITED, HouseBook.CUSTODY, amount, wallet_id),
        _credit(figures, amount),
    )


def deposit_under_review(account: AccountKey, deposit_id: UUID, amount: Decimal, wallet_id: UUID) -> Journal:
    """Money arrived that waits for review: owed from now on, not yet usable."""
    return compose(
        account,
        journal_id("deposit_under_review", deposit_id),
        "Deposit received, under review",
        _deposit(deposit_id),
        line(EntryType.DEPOSIT, Book.REVIEW, HouseBook.CUSTODY, amount, wallet_id),
    )


def deposit_released(figures: AccountFigures, deposit_id: UUID, amount: Decimal) -> Journal:
    """A review ended well: the money becomes usable and brings its virtual credit."""
    require_positive(amount)
    return compose(
        key_of(figures),
        journal_id("deposit_released", deposit_id),
        "Deposit credited after review",
        _deposit(deposit_id),
        line(EntryType.DEPOSIT, Book.DEPOSITED, Book.REVIEW, amount),
        _credit(figures, amount),
    )


def deposit_returned(
    account: AccountKey, deposit_id: UUID, amount: Decimal, network_fee: Decimal, wallet_id: UUID
) -> Journal:
    """A review ended in a return to the sender: `amount` leaves review, `network_fee` of it pays the network."""
    return compose(
        account,
        journal_id("deposit_returned", deposit_id),
        "Deposit returned to sender",
        _deposit(deposit_id),
        line(EntryType.DEPOSIT_RETURN, Book.REVIEW, HouseBook.CUSTODY, network_fee - amount, wallet_id),
        line(EntryType.NETWORK_FEE, Book.REVIEW, HouseBook.CUSTODY, -network_fee, wallet_id),
    )


def receipt_matched(account: AccountKey, deposit_id: UUID, amount: Decimal) -> Journal:
    """The owner of an unmatched receipt was found; it goes to review."""
    return compose(
        account,
        journal_id("receipt_matched", deposit_id),
        "Receipt matched, under review",
        _deposit(deposit_id),
        line(EntryType.DEPOSIT, Book.REVIEW, HouseBook.UNALLOCATED, amount),
    )


def deposit_refunded(
    figures: AccountFigures, deposit_id: UUID, amount: Decimal, wallet_id: UUID
) -> tuple[Journal | None, Journal | None]:
    """The provider took a credited deposit back: the customer's journal, and the house's for what is missing there.

    Of `amount`, what is still deposited leaves with as much virtual credit as is free; the house bears the rest.
    """
    require_positive(amount)
    taken = min(amount, figures.deposited)
    virtual = min(taken, figures.virtual_free)
    customer = (
        compose(
            key_of(figures),
            journal_id("deposit_refunded", deposit_id),
            "Deposit refunded by the payment provider",
            _deposit(deposit_id),
            line(EntryType.DEPOSIT_RETURN, Book.DEPOSITED, HouseBook.CUSTODY, -taken, wallet_id),
            line(EntryType.DEPOSIT_RETURN, Book.VIRTUAL, HouseBook.VIRTUAL_CREDIT, -virtual),
        )
        if taken
        else None
    )
    house = (
        compose(
            HOUSE,
            journal_id("deposit_refund_loss", deposit_id),
            "Loss on a deposit refunded after it was spent",
            _deposit(deposit_id),
            line(EntryType.CREDIT_LOSS, HouseBook.CREDIT_LOSSES, HouseBook.CUSTODY, taken - amount, wallet_id),
        )
        if taken < amount
        else None
    )
    return customer, house
