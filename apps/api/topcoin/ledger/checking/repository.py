"""Reading the whole ledger in one snapshot and constant memory, and what the database should guard it with."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from topcoin.ledger.chain.domain import Entry
from topcoin.ledger.chart.domain import Book
from topcoin.ledger.checking.domain import AccountRow
from topcoin.ledger.checking.functions import FUNCTION_HASHES
from topcoin.ledger.models import Account, HouseFunds, LedgerEntry, Wallet

Connection = psycopg.Connection[tuple[Any, ...]]

_ROWS_PER_FETCH = 2_000

_ACCOUNTS = """
SELECT user_id, id, deposited_amount, approved_profit, deposit_review, withdrawal_hold, virtual_balance, virtual_hold,
       allocated, credit_due, entry_count, head_hash,
       CASE WHEN last_entry_at IS NOT NULL THEN greatest('0001-01-01Z', least('9999-12-31Z', last_entry_at)) END
  FROM accounts
 ORDER BY user_id, id
"""

# In the order of Entry's fields. A time beyond what Python can tell, infinity among them, is read as the end of what it
# can, which the entry's hash then does not match.
_ENTRIES = """
SELECT user_id, account_id, sequence, journal_id, line_no,
       greatest('0001-01-01Z', least('9999-12-31Z', created_at)), entry_type, unit, book, contra, amount,
       balance_after, contra_balance_after, wallet_id, description, reference_type, reference_id, metadata::text,
       reverses, content_hash, entry_hash
  FROM ledger_entries
 ORDER BY user_id, account_id, sequence
"""

_APPEND_ONLY = ("ledger_entries", "audits")
_TRIGGERS = ("append_only", "append_only_truncate")

# 'A' is ENABLE ALWAYS: what fires in sessions that ask for replica mode too.
_TRIGGERS_OFF = """
SELECT t.name
  FROM unnest(%s::text[]) AS t (name)
 WHERE (SELECT count(*) FROM pg_trigger AS g
         WHERE g.tgrelid = t.name::regclass AND g.tgname = ANY (%s) AND g.tgenabled = 'A'
           AND g.tgfoid = 'refuse_change'::regproc) <> %s
"""

_CONSTRAINTS = """
SELECT c.conrelid::regclass::text, c.conname
  FROM pg_constraint AS c
 WHERE c.conrelid = ANY (%(tables)s::regclass[]) AND c.convalidated
 UNION
SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text
  FROM pg_index AS i
 WHERE i.indrelid = ANY (%(tables)s::regclass[]) AND i.indisunique AND i.indisvalid
"""


_FUNCTIONS = "SELECT p.proname, p.prosrc FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace"


def read_latest_time(connection: Connection) -> datetime:
    """The latest time that an entry may carry: the snapshot's, with a minute's grace for clocks that differ."""
    row = connection.execute("SELECT now() + interval '1 minute'").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives exactly one row
    return row[0]


def find_changed_functions(connection: Connection) -> list[str]:
    """Functions that guard or write the ledger, and are missing or other than the migrations made them (LED-4)."""
    present = {name: hashlib.sha256(source.encode()).hexdigest() for name, source in connection.execute(_FUNCTIONS)}
    return sorted(name for name, digest in FUNCTION_HASHES.items() if present.get(name) != digest)


def read_accounts(connection: Connection) -> Iterator[AccountRow]:
    """Every account, by key."""
    with connection.cursor("verify_accounts", binary=True) as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        for row in cursor.execute(_ACCOUNTS):
            balances = dict(zip([book.value for book in Book], row[2:9], strict=True))
            yield AccountRow(row[0], row[1], balances, row[9], row[10], row[11], row[12])


def read_entries(connection: Connection) -> Iterator[Entry]:
    """Every entry, by account and number."""
    with connection.cursor("verify_entries", binary=True) as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        for row in cursor.execute(_ENTRIES):
            yield Entry._make(row)


def read_house_funds(connection: Connection) -> Decimal | None:
    """The free operator money as its row states it."""
    row = connection.execute("SELECT balance FROM house_funds WHERE id = 1").fetchone()
    return None if row is None else row[0]


def read_wallets(connection: Connection) -> dict[UUID, Decimal]:
    """What each wallet's row states, by id."""
    return dict(connection.execute("SELECT id, balance FROM wallets ORDER BY id").fetchall())


def find_unguarded_tables(connection: Connection) -> list[str]:
    """Append-only tables whose triggers are missing or switched off (LED-4)."""
    parameters = [list(_APPEND_ONLY), list(_TRIGGERS), len(_TRIGGERS)]
    return [name for (name,) in connection.execute(_TRIGGERS_OFF, parameters)]


def find_missing_constraints(connection: Connection) -> list[str]:
    """Constraints and unique indexes of the ledger's tables that the database lacks or has not validated.

    They hold LED-1, LED-2 and LED-5 in the database.
    """
    tables = [model.metadata.tables[model.__tablename__] for model in (LedgerEntry, Account, HouseFunds, Wallet)]
    rules = [rule for table in tables for rule in (*table.constraints, *(i for i in table.indexes if i.unique))]
    expected = {(rule.table.name, str(rule.name)) for rule in rules if rule.table is not None}
    names = [table.name for table in tables]
    present = set(connection.execute(_CONSTRAINTS, {"tables": names}).fetchall())
    return [f"{table}.{name}" for table, name in sorted(expected - present)]
