"""Reading the whole trail in one snapshot and constant memory, and what the database should guard it with."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from topcoin.audit.domain import AuditRow

Connection = psycopg.Connection[tuple[Any, ...]]

_ROWS_PER_FETCH = 2_000


class HeadRow(NamedTuple):
    """Where a subject's chain ends, as its row states it."""

    user_id: UUID
    sequence: int
    entry_hash: bytes


# In the order of AuditRow's fields. A time beyond what Python can tell is read as the end of what it can, which the
# row's hash then does not match.
_ROWS = """
SELECT user_id, id, sequence, actor, action, object_type, object_id, changes::text, reason, ip_address, user_agent,
       request_id, session_id, metadata::text,
       greatest('0001-01-01Z', least('9999-12-31Z', created_at)), previous_hash, entry_hash
  FROM audits
 ORDER BY user_id, sequence, id
"""

_HEADS = "SELECT user_id, sequence, entry_hash FROM audit_heads ORDER BY user_id"

_TRIGGERS = {
    "append_only": "refuse_change",
    "append_only_truncate": "refuse_change",
    "continue_chain": "audits_continue_chain",
}

# 'A' is ENABLE ALWAYS: what fires in sessions that ask for replica mode too.
_TRIGGERS_ON = """
SELECT g.tgname
  FROM pg_trigger AS g
  JOIN unnest(%s::text[], %s::text[]) AS t (name, function) ON t.name = g.tgname AND to_regproc(t.function) = g.tgfoid
 WHERE g.tgrelid = 'audits'::regclass AND g.tgenabled = 'A'
"""


def read_rows(connection: Connection) -> Iterator[AuditRow]:
    """Every row, by subject and number."""
    with connection.cursor("verify_audits", binary=True) as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        for row in cursor.execute(_ROWS):
            stored = AuditRow._make(row)
            yield stored if stored.ip_address is None else stored._replace(ip_address=str(stored.ip_address))


def read_heads(connection: Connection) -> Iterator[HeadRow]:
    """Every head, by subject."""
    with connection.cursor("verify_audit_heads", binary=True) as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        for row in cursor.execute(_HEADS):
            yield HeadRow._make(row)


def find_missing_triggers(connection: Connection) -> list[str]:
    """The triggers of the trail that are missing, switched off, or call something else."""
    present = connection.execute(_TRIGGERS_ON, [list(_TRIGGERS), list(_TRIGGERS.values())])
    return sorted(_TRIGGERS.keys() - {name for (name,) in present})
