"""`verify`: read everything once, replay every account, and say what does not add up (LED-1 to LED-6)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from itertools import chain

import psycopg

from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import HOUSE_FUNDS_BOOKS, HOUSE_ID, parse_book, unit_of
from topcoin.ledger.checking import repository
from topcoin.ledger.checking.domain import AccountReplay, AccountRow, HouseLegs, Problem

PROBLEMS_MAX = 1_000
"""Enough to see what happened; a ruined database is told by the count of the rest."""

_ZERO = Decimal(0)
_EXACT = Context(prec=60)
"""A sum over all accounts may need more digits than one balance has; Python's default would round it."""


@dataclass(slots=True)
class VerificationReport:
    """What was read, and every problem up to `PROBLEMS_MAX`; `further_problems` counts those beyond."""

    accounts: int = 0
    entries: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])
    further_problems: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def add(self, problem: Problem) -> None:
        """Keep a problem, or count it where there are too many."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)
        else:
            self.further_problems += 1


Check = Callable[[repository.Connection], Iterator[Problem]]
"""Reads on the verification's connection and tells what is wrong."""


class _Verification:
    def __init__(self, connection: repository.Connection, further_checks: Sequence[Check]) -> None:
        self.report = VerificationReport()
        self._further_checks = further_checks
        self._connection = connection
        self._legs = HouseLegs()
        self._customer_totals: dict[str, Decimal] = {}

    def run(self) -> VerificationReport:
        try:
            further = (check(self._connection) for check in self._further_checks)
            for problem in chain(self._guards(), self._accounts(), self._house(), *further):
                self.report.add(problem)
        except psycopg.DataError as error:
            self.report.add(Problem("LED-3", f"a row cannot be read: {error}"))
        return self.report

    def _guards(self) -> Iterator[Problem]:
        for table in repository.find_unguarded_tables(self._connection):
            yield Problem(
                "LED-4", f"the triggers that keep {table} append-only are missing, off, or not enabled always"
            )
        for name in repository.find_missing_constraints(self._connection):
            yield Problem("LED-1", f"the constraint {name} is missing or not validated")
        for name in repository.find_changed_functions(self._connection):
            yield Problem("LED-4", f"the function {name} is missing, or is not the one that the migrations installed")

    def _accounts(self) -> Iterator[Problem]:
        """Walk accounts and entries side by side, both in the order of their keys."""
        latest = repository.read_latest_time(self._connection)
        entries = repository.read_entries(self._connection)
        entry = next(entries, None)
        for row in repository.read_accounts(self._connection):
            key = (row.user_id, row.account_id)
            while entry is not None and (entry.user_id, entry.account_id) < key:
                yield self._orphan(entry)
                entry = next(entries, None)
            replay = AccountReplay(*key, latest=latest)
            while entry is not None and (entry.user_id, entry.account_id) == key:
                self.report.entries += 1
                self._legs.add(entry)
                yield from replay.feed(entry)
                entry = next(entries, None)
            yield from replay.end(row)
            self._take(row)
        for orphan in chain([entry] if entry else [], entries):
            yield self._orphan(orphan)

    def _take(self, row: AccountRow) -> None:
        self.report.accounts += 1
        for book, balance in row.balances.items():
            self._customer_totals[book] = self._customer_totals.get(book, _ZERO) + balance

    def _orphan(self, entry: Entry) -> Problem:
        self.report.entries += 1
        return Problem("LED-3", "the entry's account is gone", entry.user_id, entry.account_id, entry.sequence)

    def _house(self) -> Iterator[Problem]:
        """LED-6: house funds, wallets, and both sides of each unit."""
        free = sum((self._legs.books[book] for book in HOUSE_FUNDS_BOOKS), _ZERO)
        stated = repository.read_house_funds(self._connection)
        if stated != free:
            detail = f"house_funds is stated as {stated}, but its legs add up to {free}"
            yield Problem("LED-6", detail, HOUSE_ID, HOUSE_ID)
        wallets = repository.read_wallets(self._connection)
        for wallet_id in sorted(wallets.keys() | self._legs.wallets.keys()):
            held, booked = wallets.get(wallet_id), self._legs.wallets.get(wallet_id, _ZERO)
            if held != booked:
                yield Problem("LED-6", f"wallet {wallet_id} states {held}, but its custody legs add up to {booked}")
        totals: dict[str, Decimal] = {}
        for book, balance in chain(self._customer_totals.items(), self._legs.books.items()):
            unit = unit_of(parse_book(book))
            totals[unit] = totals.get(unit, _ZERO) + balance
        for unit, total in totals.items():
            if total:
                yield Problem("LED-6", f"the balances of {unit} over all books add up to {total}, not to zero")


def verify(conninfo: str, *, further_checks: Sequence[Check] = ()) -> VerificationReport:
    """Recompute the whole ledger from its entries, in one snapshot and in constant memory.

    `conninfo` is a libpq URL of a role that may read; nothing is written. Posting may go on meanwhile. `further_checks`
    are other packages', named by the entry point; they read the same snapshot.
    """
    with psycopg.connect(conninfo, options="-c timezone=UTC -c statement_timeout=0") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with localcontext(_EXACT):
            return _Verification(connection, further_checks).run()
