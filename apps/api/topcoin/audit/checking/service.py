"""What `topcoin verify` finds in the audit trail, by replaying every chain from what is stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

import psycopg

from topcoin.audit.checking import repository
from topcoin.audit.checking.repository import Connection, HeadRow
from topcoin.audit.domain import (
    FIRST_PREVIOUS_HASH,
    AuditRow,
    canonical_stored_json,
    chain_hash,
)
from topcoin.audit.errors import Unrecordable


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the trail that should not be: the invariant broken, whose trail, which row, and what was found."""

    invariant: str
    detail: str
    user_id: UUID | None = None
    sequence: int | None = None


def find_problems(connection: Connection) -> Iterator[Problem]:
    """Recompute the trail and give every problem as it is found (AUD-1, AUD-2, AUD-4).

    Reads in the caller's transaction, in constant memory: give it one with a snapshot of its own (REPEATABLE READ),
    since rows may be added meanwhile. Nothing is written. Ends early where a row cannot be read at all.
    """
    for name in repository.find_missing_triggers(connection):
        invariant = "AUD-2" if name == "continue_chain" else "AUD-1"
        yield Problem(invariant, f"the trigger {name} of audits is missing or switched off")
    try:
        yield from _chains(connection)
    except psycopg.DataError as error:
        yield Problem("AUD-4", f"a row cannot be read: {error}")


def _chains(connection: Connection) -> Iterator[Problem]:
    """Walk heads and rows side by side, both in the order of their subjects."""
    rows = repository.read_rows(connection)
    row = next(rows, None)
    for head in repository.read_heads(connection):
        while row is not None and row.user_id < head.user_id:
            yield _headless(row)
            row = next(rows, None)
        replay = _ChainReplay(head)
        while row is not None and row.user_id == head.user_id:
            yield from replay.feed(row)
            row = next(rows, None)
        yield from replay.end()
    for orphan in chain([row] if row else [], rows):
        yield _headless(orphan)


def _headless(row: AuditRow) -> Problem:
    return Problem("AUD-2", "the row belongs to a chain whose head is gone", row.user_id, row.sequence)


class _ChainReplay:
    """One subject's chain while its rows are fed in order."""

    def __init__(self, head: HeadRow) -> None:
        self._head = head
        self._sequence = 0
        self._hash = FIRST_PREVIOUS_HASH

    def feed(self, row: AuditRow) -> Iterator[Problem]:
        expected = self._sequence + 1
        if row.sequence != expected:
            yield Problem("AUD-2", f"row {expected} should stand here", row.user_id, row.sequence)
        elif row.previous_hash != self._hash:
            yield Problem("AUD-2", "the row does not name the hash of the one before", row.user_id, row.sequence)
        if _content_hash(row) != row.entry_hash:
            yield Problem("AUD-4", "the row is not what its hash was made from", row.user_id, row.sequence)
        # Go on from what is stated, so that one change is told once and not for every later row.
        self._sequence, self._hash = row.sequence, row.entry_hash

    def end(self) -> Iterator[Problem]:
        """Compare where the rows end with what the head claims."""
        head = self._head
        if head.sequence > self._sequence:
            missing = f"{self._sequence + 1}"
            if head.sequence > self._sequence + 1:
                missing += f" to {head.sequence}"
            yield Problem("AUD-2", f"row {missing} is missing at the end", head.user_id, self._sequence + 1)
        elif (head.sequence, head.entry_hash) != (self._sequence, self._hash):
            yield Problem("AUD-2", "the head of the chain is not its newest row", head.user_id, self._sequence or None)


def _content_hash(row: AuditRow) -> bytes | None:
    """The hash that the row's content has; None where the content has no canonical form."""
    try:
        return chain_hash(
            row._replace(changes=canonical_stored_json(row.changes), metadata=canonical_stored_json(row.metadata))
        )
    except Unrecordable:
        return None
