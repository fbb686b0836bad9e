from hashlib import sha256

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import Row, audit_row, insert, insert_now, make_user, user_row
from support.rules import check_rules

from topcoin.infra.database import migrations
from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings


async def test_every_rule_of_audits_refuses_what_breaks_it(session: AsyncSession) -> None:
    user_id = await make_user(session)
    first = audit_row(user_id, object_type="account", object_id="1", reason="Asked to", ip_address="2001:db8::1")
    await check_rules(
        session,
        "audits",
        {
            "sequence_from_one": [(first, {"sequence": 0, "previous_hash": b"\1" * 32})],
            "hash_length": [(first, {"entry_hash": b"\1" * 31})],
            "first_has_no_predecessor": [(first, {"previous_hash": b"\1" * 32})],
            "action_is_code": [(first, {"action": "Sign in"})],
            "object_type_is_code": [(first, {"object_type": "An account"})],
            "object_id_not_blank": [(first, {"object_id": ""})],
            "object_named_whole": [(first, {"object_id": None}), (first, {"object_type": None})],
            "reason_not_blank": [(first, {"reason": " "})],
            "changes_object": [(first, {"changes": []})],
            "metadata_object": [(first, {"metadata": []})],
        },
    )


async def test_a_chain_grows_row_by_row(session: AsyncSession) -> None:
    user_id = await make_user(session)
    previous = bytes(32)
    for sequence in (1, 2, 3):
        row = audit_row(user_id, sequence=sequence, previous_hash=previous)
        await insert(session, "audits", row)
        previous = row["entry_hash"]


async def test_a_chain_has_no_gap_and_no_foreign_link(session: AsyncSession) -> None:
    """AUD-2."""
    user_id, other_id = await make_user(session), await make_user(session)
    first = audit_row(user_id)
    await insert(session, "audits", first)
    for row in (
        audit_row(user_id, sequence=3, previous_hash=first["entry_hash"]),
        audit_row(user_id, sequence=2, previous_hash=sha256(b"another").digest()),
        audit_row(other_id, sequence=2, previous_hash=first["entry_hash"]),
    ):
        with pytest.raises(DBAPIError, match="does not continue the chain") as refused:
            async with session.begin_nested():
                await insert(session, "audits", row)
        assert getattr(refused.value.orig, "sqlstate", None) == "TC002"


async def test_a_chain_has_no_fork(session: AsyncSession) -> None:
    """AUD-2."""
    user_id = await make_user(session)
    await insert(session, "audits", audit_row(user_id))
    with pytest.raises(IntegrityError, match="uq_audits_user_id_sequence"):
        await insert(session, "audits", audit_row(user_id))


@pytest.mark.parametrize("statement", ["UPDATE audits SET reason = 'other'", "DELETE FROM audits", "TRUNCATE audits"])
async def test_the_application_cannot_rewrite(session: AsyncSession, statement: str) -> None:
    """AUD-1, LED-4, by missing privilege."""
    with pytest.raises(DBAPIError) as refused:
        await session.execute(text(statement))
    assert isinstance(refused.value.orig, InsufficientPrivilege)


@pytest.mark.parametrize("statement", ["UPDATE audits SET reason = 'other'", "DELETE FROM audits", "TRUNCATE audits"])
def test_the_owner_cannot_rewrite_either(owner_connection: psycopg.Connection, statement: str) -> None:
    """AUD-1, LED-4, by trigger."""
    user = user_row()
    insert_now(owner_connection, "users", user)
    insert_now(owner_connection, "audits", audit_row(user["id"]))
    with pytest.raises(psycopg.DatabaseError, match="audits is append-only") as refused:
        owner_connection.execute(statement.encode())
    assert refused.value.sqlstate == "TC001"


async def test_every_rule_of_heads_refuses_what_breaks_it(session: AsyncSession) -> None:
    empty: Row = {"user_id": await make_user(session)}
    row = {**empty, "sequence": 1, "entry_hash": b"\1" * 32}
    await check_rules(
        session,
        "audit_heads",
        {
            "sequence_not_negative": [(row, {"sequence": -1})],
            "hash_length": [(row, {"entry_hash": b"\1" * 31})],
            "empty_has_no_hash": [(row, {"sequence": 0}), (empty, {"sequence": 1})],
        },
    )


def test_trails_from_before_there_were_heads_end_where_their_newest_rows_are(database: Settings) -> None:
    migrations.downgrade(database, "0002")
    user, other = user_row(), user_row()
    first = audit_row(user["id"])
    second = audit_row(user["id"], sequence=2, previous_hash=first["entry_hash"])
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        for table, row in (("users", user), ("users", other), ("audits", first), ("audits", second)):
            insert_now(connection, table, row)
    migrations.upgrade(database)
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        heads = connection.execute("SELECT user_id, sequence, entry_hash FROM audit_heads").fetchall()
    assert heads == [(user["id"], 2, second["entry_hash"])]
