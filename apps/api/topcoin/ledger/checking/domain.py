"""Replaying an account's entries: numbers, hashes, balances, credit, recomputed in Python (LED-1 to 3, LED-5, LED-8).

Nothing here shares code with `ledger_post`; where both are right they agree on every byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from topcoin.kernel.errors import TopCoinError
from topcoin.ledger.chain.domain import GENESIS_HASH, Entry, canonical_stored_metadata, chain_hash, journal_hash
from topcoin.ledger.chart.domain import HOUSE_ID, Book, EntryType, HouseBook, allowed_entries

_ALLOWED = frozenset(allowed_entries())
_OWN_BOOKS = frozenset(Book)
_NOT_BELOW_ZERO = tuple(book for book in Book if book is not Book.VIRTUAL)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the books that should not be: the invariant broken, where, and what was found."""

    invariant: str
    detail: str
    user_id: UUID | None = None
    account_id: UUID | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What an account's row claims."""

    user_id: UUID
    account_id: UUID
    balances: dict[str, Decimal]
    credit_due: Decimal
    entry_count: int
    head_hash: bytes
    last_entry_at: datetime | None


@dataclass(slots=True)
class HouseLegs:
    """Sums over the legs of the house's books, and of custody by wallet."""

    books: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(HouseBook, _ZERO))
    wallets: dict[UUID, Decimal] = field(default_factory=dict[UUID, Decimal])

    def add(self, entry: Entry) -> None:
        """Take in both sides of an entry, where they are the house's."""
        if entry.book in self.books:
            self.books[entry.book] += entry.amount
        if entry.contra in self.books:
            self.books[entry.contra] -= entry.amount
        if entry.wallet_id is not None:
            self.wallets[entry.wallet_id] = self.wallets.get(entry.wallet_id, _ZERO) + entry.amount


def _numbers(entry: Entry) -> tuple[Decimal | None, ...]:
    return entry.amount, entry.balance_after, entry.contra_balance_after


class AccountReplay:
    """The state of one account while its entries are fed in order."""

    def __init__(self, user_id: UUID, account_id: UUID, *, latest: datetime | None = None) -> None:
        self.user_id = user_id
        self.account_id = account_id
        self._latest = latest
        self.balances: dict[str, Decimal] = dict.fromkeys(Book, _ZERO)
        self.credit_due = _ZERO
        self._credit_change = _ZERO
        self._sequence = 0
        self._hash = GENESIS_HASH
        self._last: Entry | None = None
        self._journal: list[Entry] = []

    def _problem(self, invariant: str, sequence: int | None, detail: str) -> Problem:
        return Problem(invariant, detail, self.user_id, self.account_id, sequence)

    def feed(self, entry: Entry) -> Iterator[Problem]:
        """Take in the next entry and yield what is wrong with it."""
        if self._journal and entry.journal_id != self._journal[0].journal_id:
            yield from self._end_journal()
        if not all(number is None or number.is_finite() for number in _numbers(entry)):
            # Nothing can be computed with it, so it counts for nothing; its hash, made of zeros, will not match either.
            yield self._problem("LED-3", entry.sequence, "an amount or a balance of the entry is not a number")
            entry = entry._replace(amount=_ZERO, balance_after=None, contra_balance_after=None)
        yield from self._check_place(entry)
        yield from self._check_chart(entry)
        yield from self._move(entry)
        self._journal.append(entry)
        self._last = entry
        self._sequence = entry.sequence
        self._hash = entry.entry_hash

    def _check_place(self, entry: Entry) -> Iterator[Problem]:
        """LED-3: number, time, hash."""
        expected = self._sequence + 1
        if entry.sequence != expected:
            missing = f"{expected}" if entry.sequence == expected + 1 else f"{expected} to {entry.sequence - 1}"
            yield self._problem("LED-3", expected, f"entry {missing} is missing")
        elif chain_hash(self._hash, self._canonical(entry)) != entry.entry_hash:
            yield self._problem("LED-3", entry.sequence, "the entry does not match its hash: it was changed afterwards")
        if self._last is not None and entry.created_at < self._last.created_at:
            yield self._problem("LED-3", entry.sequence, "the entry is dated before the one that precedes it")
        if self._latest is not None and entry.created_at > self._latest:
            yield self._problem("LED-3", entry.sequence, "the entry is dated in the future")

    def _canonical(self, entry: Entry) -> Entry:
        if entry.metadata == "{}":
            return entry
        try:
            return entry._replace(metadata=canonical_stored_metadata(entry.metadata))
        except TopCoinError:
            # Such metadata cannot have been posted; whatever its hash is, it will not match.
            return entry

    def _check_chart(self, entry: Entry) -> Iterator[Problem]:
        """LED-1: the chart of accounts."""
        sign = "+" if entry.amount > 0 else "-"
        key = f"{entry.entry_type}/{entry.unit}/{entry.book}/{entry.contra}/{sign}/{entry.reference_type}"
        if key not in _ALLOWED or not entry.amount:
            yield self._problem("LED-1", entry.sequence, f"the chart of accounts has no entry {key}")
        if (entry.book in _OWN_BOOKS) is (self.account_id == HOUSE_ID):
            yield self._problem("LED-1", entry.sequence, f"{entry.book} is no book of this account")
        if (entry.contra == HouseBook.CUSTODY) is not (entry.wallet_id is not None):
            yield self._problem("LED-6", entry.sequence, "a custody leg names its wallet, and no other leg does")

    def _move(self, entry: Entry) -> Iterator[Problem]:
        """LED-3: running balances."""
        for book, amount, stated in (
            (entry.book, entry.amount, entry.balance_after),
            (entry.contra, -entry.amount, entry.contra_balance_after),
        ):
            balance = None
            if book in _OWN_BOOKS:
                balance = self.balances[book] = self.balances[book] + amount
            if stated != balance:
                yield self._problem(
                    "LED-3", entry.sequence, f"{book} is stated as {stated} after it, but adds up to {balance}"
                )
                if stated is not None and balance is not None:
                    # Go on from what is stated, so that one change is told once and not for every later entry.
                    self.balances[book] = stated
            if book in (Book.DEPOSITED, Book.VIRTUAL_HOLD):
                self._credit_change -= amount
        if entry.contra == HouseBook.VIRTUAL_CREDIT:
            self._credit_change += entry.amount

    def _check_shape(self, entries: list[Entry]) -> Iterator[Problem]:
        """LED-8: entries that may exist only together, or only with a certain end."""
        sums: dict[tuple[str, str], Decimal] = {}
        for entry in entries:
            key = (entry.entry_type, entry.book)
            sums[key] = sums.get(key, _ZERO) + entry.amount
        adjusted = sums.get((EntryType.ADMIN_ADJUSTMENT, Book.VIRTUAL), _ZERO)
        written_off = sums.get((EntryType.CORRECTION_WRITEOFF, Book.VIRTUAL), _ZERO)
        approved = sums.get((EntryType.PROFIT_APPROVAL, Book.PROFIT), _ZERO)
        redeemed = -sums.get((EntryType.PROFIT_APPROVAL, Book.VIRTUAL), _ZERO)
        if written_off > max(_ZERO, -adjusted):
            yield self._problem(
                "LED-8", entries[0].sequence, "a write-off without the adjustment that it makes possible"
            )
        if (EntryType.PROTECTION, Book.VIRTUAL) in sums and self.balances[Book.VIRTUAL]:
            yield self._problem("LED-8", entries[0].sequence, "protection that does not end at exactly zero")
        if approved > redeemed or (redeemed and not approved):
            yield self._problem(
                "LED-8", entries[0].sequence, "approved profit and what it redeems do not belong together"
            )

    def _end_journal(self) -> Iterator[Problem]:
        """LED-2, LED-5 and LED-8: what holds for a whole journal."""
        entries, self._journal = self._journal, []
        first, last = entries[0], entries[-1]
        if [entry.line_no for entry in entries] != list(range(1, len(entries) + 1)):
            yield self._problem("LED-5", first.sequence, f"the lines of journal {first.journal_id} are not 1, 2, 3 …")
        elif first.content_hash != self._content_hash(entries):
            yield self._problem("LED-5", first.sequence, f"journal {first.journal_id} does not match its content hash")
        for book in _NOT_BELOW_ZERO:
            if self.balances[book] < 0:
                yield self._problem("LED-2", last.sequence, f"{book} is below zero: {self.balances[book]}")
        yield from self._check_shape(entries)
        self.credit_due += self._credit_change
        self._credit_change = _ZERO

    def _content_hash(self, entries: list[Entry]) -> bytes:
        first = entries[0]
        return journal_hash(
            user_id=first.user_id,
            account_id=first.account_id,
            journal_id=first.journal_id,
            description=first.description,
            reference_type=first.reference_type,
            reference_id=first.reference_id,
            metadata=self._canonical(first).metadata,
            reverses=first.reverses,
            lines=[(e.entry_type, e.book, e.contra, e.amount, e.wallet_id) for e in entries],
        )

    def end(self, row: AccountRow) -> Iterator[Problem]:
        """Compare where the entries end with what the account's row claims (LED-3)."""
        if self._journal:
            yield from self._end_journal()
        if row.entry_count > self._sequence:
            missing = f"{self._sequence + 1}"
            if row.entry_count > self._sequence + 1:
                missing += f" to {row.entry_count}"
            yield self._problem("LED-3", self._sequence + 1, f"entry {missing} is missing at the end")
            return
        if row.entry_count < self._sequence:
            yield self._problem("LED-3", row.entry_count + 1, f"the account counts only {row.entry_count} entries")
        if row.head_hash != self._hash:
            yield self._problem("LED-3", self._sequence or None, "the account's head is not the hash of its last entry")
        if row.last_entry_at != (self._last.created_at if self._last else None):
            detail = f"the account dates its last entry {row.last_entry_at}, which that entry does not"
            yield self._problem("LED-3", self._sequence or None, detail)
        for book, balance in self.balances.items():
            if row.balances[book] != balance:
                detail = f"the account states {book} as {row.balances[book]}, but its entries add up to {balance}"
                yield self._problem("LED-3", None, detail)
        if row.credit_due != self.credit_due:
            detail = f"the account states credit_due as {row.credit_due}, but its entries give {self.credit_due}"
            yield self._problem("LED-3", None, detail)
