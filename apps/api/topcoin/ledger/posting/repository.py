"""The call of `ledger_post`, the one writer of the ledger, on a psycopg connection inside somebody's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from topcoin.ledger.chart.domain import unit_of
from topcoin.ledger.posting.domain import Journal, PostedEntry

_Key = tuple[UUID, UUID]
"""A user's id, and the id of an account or a journal of theirs."""

_POST = """
SELECT codes, details, sequences, balances, contra_balances, hashes
  FROM ledger_post(
    %b::uuid[], %b::uuid[],
    %b::int[], %b::uuid[], %b::bytea[], %b::text[], %b::text[], %b::text[], %b::text[], %b::uuid[],
    %b::int[], %b::int[], %b::text[], %b::text[], %b::text[], %b::text[], %b::numeric[], %b::uuid[],
    %b::timestamptz)
"""

_LOCK = """
SELECT 1
  FROM unnest(%b::uuid[], %b::uuid[]) AS k (user_id, id)
  JOIN accounts AS a ON a.user_id = k.user_id AND a.id = k.id
 ORDER BY a.user_id, a.id
   FOR NO KEY UPDATE OF a
"""

_FIRST_RESULTS = """
SELECT e.user_id, e.journal_id, e.sequence, e.balance_after, e.contra_balance_after, e.entry_hash
  FROM unnest(%b::uuid[], %b::uuid[]) AS k (user_id, journal_id)
  JOIN ledger_entries AS e ON e.user_id = k.user_id AND e.journal_id = k.journal_id
 ORDER BY e.user_id, e.journal_id, e.line_no
"""


class Verdict(NamedTuple):
    """What `ledger_post` said of one journal; `entries` only where it was posted."""

    code: str
    detail: str | None
    entries: tuple[PostedEntry, ...]


def _account_keys(journals: Iterable[Journal]) -> dict[_Key, int]:
    """Each account with its index, from 1."""
    keys: dict[_Key, int] = {}
    for journal in journals:
        keys.setdefault((journal.user_id, journal.account_id), len(keys) + 1)
    return keys


def _parameters(journals: Sequence[Journal], now: datetime | None) -> list[Any]:
    accounts = _account_keys(journals)
    lines = [(index, line_no, line) for index, j in enumerate(journals, 1) for line_no, line in enumerate(j.lines, 1)]
    return [
        [user_id for user_id, _ in accounts],
        [account_id for _, account_id in accounts],
        [accounts[j.user_id, j.account_id] for j in journals],
        [j.journal_id for j in journals],
        [j.content_hash for j in journals],
        [j.description for j in journals],
        [j.reference.type.value for j in journals],
        [j.reference.id for j in journals],
        [j.canonical_metadata for j in journals],
        [j.reverses for j in journals],
        [index for index, _, _ in lines],
        [line_no for _, line_no, _ in lines],
        [line.entry_type.value for _, _, line in lines],
        [unit_of(line.book).value for _, _, line in lines],
        [line.book.value for _, _, line in lines],
        [line.contra.value for _, _, line in lines],
        [line.amount for _, _, line in lines],
        [line.wallet_id for _, _, line in lines],
        now,
    ]


async def call_ledger_post(
    connection: AsyncConnection[Any], journals: Sequence[Journal], now: datetime | None
) -> list[Verdict]:
    """Post journals whose ids are distinct, in order, in one call; `now` None leaves the time to the server."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_POST, _parameters(journals, now), prepare=True)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a function with OUT parameters gives exactly one row
    codes: list[str] = row[0]
    details: list[str | None] = row[1]
    entries = map(PostedEntry, *row[2:])
    verdicts: list[Verdict] = []
    for journal, code, detail in zip(journals, codes, details, strict=True):
        written = tuple(islice(entries, len(journal.lines)))
        verdicts.append(Verdict(code, detail, written if code == "posted" else ()))
    return verdicts


async def lock_accounts(connection: AsyncConnection[Any], keys: Iterable[_Key]) -> None:
    """Lock accounts in the order that everybody locks them in."""
    users, accounts = zip(*sorted(set(keys)), strict=True)
    await connection.execute(_LOCK, [list(users), list(accounts)])


async def read_first_results(
    connection: AsyncConnection[Any], journals: Sequence[Journal]
) -> dict[_Key, tuple[PostedEntry, ...]]:
    """The entries of journals that were posted before, by (user id, journal id)."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_FIRST_RESULTS, [[j.user_id for j in journals], [j.journal_id for j in journals]])
    results: dict[_Key, tuple[PostedEntry, ...]] = {}
    row: tuple[UUID, UUID, int, Decimal | None, Decimal | None, bytes]
    for row in await cursor.fetchall():
        results[row[0], row[1]] = (*results.get((row[0], row[1]), ()), PostedEntry(*row[2:]))
    return results
