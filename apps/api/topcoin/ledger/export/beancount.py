"""The books in the language of Beancount (https://beancount.github.io), in the signs of its trade.

There, what is owed counts negative and what is held counts positive; so each leg stands with the opposite sign of the
ledger's, and custody is an asset. Real money is in `USD`. Simulated money is a commodity of its own, `VUSD`, under
`Equity:Simulated` alone: nobody owes it (P1).

Every difference counts: the tolerance is zero, and all figures have their eight places.
"""

from collections.abc import Sequence
from typing import Final

from topcoin.kernel.money import Unit
from topcoin.ledger.chart.domain import Book, HouseBook, unit_of
from topcoin.ledger.export.repository import AccountRow, Closing, EntryRow, WalletRow

_CUSTODY: Final = "Assets:Custody"
_HOUSE_FUNDS: Final = "Equity:HouseFunds"
_SIMULATED: Final = "Equity:Simulated"
_CUSTOMERS: Final = "Liabilities:Customers"

_ZERO: Final = "0.00000000"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def _component(name: str) -> str:
    """A name as a component of an account: `payouts_in_transit` is `PayoutsInTransit`."""
    return "".join(word.capitalize() for word in name.split("_"))


def _house_account(book: HouseBook) -> str:
    match book:
        case HouseBook.CUSTODY:
            return _CUSTODY
        case HouseBook.OPERATOR_FUNDS | HouseBook.NETWORK_FEES | HouseBook.VALUATION | HouseBook.CREDIT_LOSSES:
            # What the house bears lessens its own money: together they are the row of house funds (LED-6).
            return f"{_HOUSE_FUNDS}:{_component(book)}"
        case HouseBook.UNALLOCATED:
            return f"Liabilities:{_component(book)}"
        case HouseBook.PAYOUTS_IN_TRANSIT:
            return f"Assets:{_component(book)}"
        case HouseBook.PROCESSING_FEES:
            return f"Income:{_component(book)}"
        case _:
            return f"{_SIMULATED}:House:{_component(book)}"


_HOUSE_ACCOUNTS: Final = {book.value: _house_account(book) for book in HouseBook}
_OWN_PREFIXES: Final = {
    book.value: _CUSTOMERS if unit_of(book) is Unit.USD else f"{_SIMULATED}:Customers" for book in Book
}
_OWN_COMPONENTS: Final = {book.value: _component(book) for book in Book}
_UNITS: Final = {book.value: unit_of(book).value for book in (*Book, *HouseBook)}


def _own_account(user_id: str, account_id: str, book: str) -> str:
    # Components begin with a capital letter or a digit, as ids in capitals do.
    return f"{_OWN_PREFIXES[book]}:{user_id.upper()}:{account_id.upper()}:{_OWN_COMPONENTS[book]}"


def _wallet_account(wallet_id: str) -> str:
    return f"{_CUSTODY}:{wallet_id.upper()}"


def _opposite(amount: str) -> str:
    if amount == _ZERO:
        return amount
    return amount[1:] if amount[0] == "-" else f"-{amount}"


def _string(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def render_head(closing: Closing) -> str:
    """Options, commodities, and the accounts of the house."""
    day = closing.first_day
    lines = [
        ";; The books of TopCoin. Liabilities and equity count negative, as Beancount has it.",
        'option "title" "TopCoin"',
        'option "operating_currency" "USD"',
        'option "tolerance_multiplier" "0"',
        "",
        f"{day} commodity USD",
        '  name: "United States dollar, real money"',
        f"{day} commodity VUSD",
        '  name: "Simulated dollar, owed by nobody"',
        "",
        f"{day} open {_HOUSE_FUNDS} USD",
        f"{day} open {_SIMULATED} VUSD",
        *(f"{day} open {account} {_UNITS[book]}" for book, account in _HOUSE_ACCOUNTS.items()),
        "",
    ]
    return "\n".join(lines) + "\n"


def render_wallet(wallet: WalletRow, closing: Closing) -> str:
    """A wallet's account, and its row's balance asserted."""
    account = _wallet_account(wallet.wallet_id)
    return (
        f"{closing.first_day} open {account} USD\n"
        f"  name: {_string(wallet.name)}\n"
        f"  currency: {_string(wallet.currency)}\n"
        f"{closing.day_after} balance {account} {wallet.balance} USD\n"
    )


def render_account(row: AccountRow, closing: Closing) -> str:
    """A customer's account: its seven books, each with the balance that the account's row caches asserted."""
    lines: list[str] = []
    for book, balance in zip(Book, row[3:], strict=True):
        account, unit = _own_account(row.user_id, row.account_id, book), _UNITS[book]
        lines += (
            f"{row.opened_on} open {account} {unit}",
            f"{closing.day_after} balance {account} {_opposite(balance)} {unit}",
        )
    return "\n".join(lines) + "\n"


def render_journal(entries: Sequence[EntryRow]) -> str:
    """A journal as one transaction: two postings for each entry, tagged with the entries' types."""
    first = entries[0]
    tags = " ".join(f"#{tag}" for tag in dict.fromkeys(entry.entry_type for entry in entries))
    lines = [
        f"{first.created_at[:10]} * {_string(first.description)} {tags}",
        f'  journal: "{first.journal_id}"',
        f"  sequence: {first.sequence}",
        f'  time: "{first.created_at}"',
        f"  reference: {_string(f'{first.reference_type}/{first.reference_id}')}",
    ]
    if first.reverses is not None:
        lines.append(f'  reverses: "{first.reverses}"')
    for entry in entries:
        lines += (
            f"  {_side(entry, entry.book)} {_opposite(entry.amount)} {entry.unit}",
            f"  {_side(entry, entry.contra)} {entry.amount} {entry.unit}",
        )
    return "\n".join(lines) + "\n"


def _side(entry: EntryRow, book: str) -> str:
    if book in _OWN_COMPONENTS:
        return _own_account(entry.user_id, entry.account_id, book)
    # Custody is always the contra, and names its wallet.
    return _HOUSE_ACCOUNTS[book] if entry.wallet_id is None or book != "custody" else _wallet_account(entry.wallet_id)


def render_closing(closing: Closing) -> str:
    """The house's balances asserted: each book, its own free money, and that simulated money adds up to nothing."""
    day = closing.day_after
    lines = [
        *(
            f"{day} balance {account} {_opposite(closing.house_books.get(book, _ZERO))} {_UNITS[book]}"
            for book, account in _HOUSE_ACCOUNTS.items()
        ),
        f"{day} balance {_HOUSE_FUNDS} {_opposite(closing.house_funds)} USD",
        f"{day} balance {_SIMULATED} {_ZERO} VUSD",
    ]
    return "\n".join(lines) + "\n"
