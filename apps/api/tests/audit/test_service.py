"""Recording, and the chain that it makes, on a real database."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, make_user

from topcoin.audit.checking.service import Problem, find_problems
from topcoin.audit.domain import HOUSE_USER_ID, REDACTED, Action, diff
from topcoin.audit.errors import ReasonRequired, Unrecordable
from topcoin.audit.service import record
from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.database.unit_of_work import transaction
from topcoin.infra.settings import Settings
from topcoin.kernel.access import Actor, ActorKind
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.ids import new_id

CLOCK = ManualClock(NOW)
FREEZE = Action("freeze_account", sensitive=True)
LOOK = Action("view_document")
CONSOLE = Actor(ActorKind.OPERATOR)


STAFF = Actor(ActorKind.STAFF, user_id=new_id(), ip_address="192.0.2.7", user_agent="Firefox")


async def trail(session: AsyncSession, user_id: UUID) -> list[Any]:
    """A subject's rows, in order."""
    rows = await session.execute(
        text("SELECT * FROM audits WHERE user_id = :user_id ORDER BY sequence"), {"user_id": user_id}
    )
    return list(rows.all())


async def test_a_row_says_who_did_what_to_whom(session: AsyncSession) -> None:
    subject = await make_user(session)
    actor = replace(STAFF, session_id=new_id(), request_id="r-12345678")
    audit_id = await record(
        session,
        CLOCK,
        actor=actor,
        action=FREEZE,
        subject_user_id=subject,
        object_type="account",
        object_id=subject,
        changes=diff({"is_frozen": False, "token": "a"}, {"is_frozen": True, "token": "b"}),
        reason="  Asked by the police ",
        metadata={"case": "A-1", "password": "hunter2"},
    )
    (row,) = await trail(session, subject)
    assert (row.id, row.sequence, row.actor, row.action) == (audit_id, 1, actor.user_id, "freeze_account")
    assert (row.object_type, row.object_id, row.reason) == ("account", str(subject), "Asked by the police")
    assert row.changes == {
        "is_frozen": {"before": False, "after": True},
        "token": {"before": REDACTED, "after": REDACTED},
    }
    assert row.metadata == {"case": "A-1", "password": REDACTED}
    assert (str(row.ip_address), row.user_agent) == ("192.0.2.7", "Firefox")
    assert (row.request_id, row.session_id, row.created_at) == ("r-12345678", actor.session_id, NOW)


async def test_without_a_subject_the_trail_is_the_actors(session: AsyncSession) -> None:
    user_id = await make_user(session)
    await record(session, CLOCK, actor=replace(STAFF, user_id=user_id), action=LOOK)
    assert [row.actor for row in await trail(session, user_id)] == [user_id]


async def test_where_no_person_acted_it_was_the_house(session: AsyncSession) -> None:
    subject = await make_user(session)
    await record(session, CLOCK, actor=CONSOLE, action=LOOK, subject_user_id=subject)
    assert [row.actor for row in await trail(session, subject)] == [HOUSE_USER_ID]


async def test_rows_of_a_subject_are_chained(session: AsyncSession) -> None:
    """AUD-2."""
    subject, other = await make_user(session), await make_user(session)
    for user_id in (subject, other, subject, subject):
        await record(session, CLOCK, actor=CONSOLE, action=LOOK, subject_user_id=user_id)
    rows = await trail(session, subject)
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert [row.previous_hash for row in rows] == [bytes(32), rows[0].entry_hash, rows[1].entry_hash]


async def test_a_sensitive_action_without_a_reason_leaves_no_row(session: AsyncSession) -> None:
    subject = await make_user(session)
    with pytest.raises(ReasonRequired):
        await record(session, CLOCK, actor=STAFF, action=FREEZE, subject_user_id=subject, reason=" ")
    with pytest.raises(Unrecordable):
        await record(session, CLOCK, actor=STAFF, action=LOOK, subject_user_id=subject, metadata={"rate": 0.1})
    assert await trail(session, subject) == []


async def test_a_record_goes_with_what_it_records(sessions: SessionFactory) -> None:
    async with sessions() as session, session.begin():
        subject = await make_user(session)
    async with sessions() as session:
        await record(session, CLOCK, actor=CONSOLE, action=LOOK, subject_user_id=subject)
        await session.rollback()
    async with sessions() as session:
        assert await trail(session, subject) == []


async def test_many_at_once_make_one_chain(sessions: SessionFactory, database: Settings) -> None:
    """AUD-2: writers of one trail wait for each other, the first ones too, who find no head."""
    async with sessions() as session, session.begin():
        subject = await make_user(session)

    async def act() -> None:
        async with transaction(sessions) as session:
            await record(session, CLOCK, actor=CONSOLE, action=LOOK, subject_user_id=subject)

    await asyncio.gather(*(act() for _ in range(12)))
    async with sessions() as session:
        assert [row.sequence for row in await trail(session, subject)] == list(range(1, 13))
    assert problems(database) == []


# -- Checking --------------------------------------------------------------------------------------------------------


def problems(database: Settings) -> list[Problem]:
    """What the read-only role finds."""
    with psycopg.connect(database_url(database, Role.READ)) as connection:
        return list(find_problems(connection))


async def fill(sessions: SessionFactory) -> tuple[UUID, UUID]:
    """Two trails of three rows with everything in them; the subjects in order."""
    async with sessions() as session, session.begin():
        first, second = await make_user(session), await make_user(session)
        for user_id in (first, second) * 3:
            await record(
                session,
                CLOCK,
                actor=replace(STAFF, ip_address="2001:db8::7", request_id="r-12345678"),
                action=FREEZE,
                subject_user_id=user_id,
                object_type="account",
                object_id=user_id,
                changes={"name": {"before": "Zoë\n", "after": None}, "count": {"before": 0, "after": 2**53 - 1}},
                reason="Ordered",
                metadata={"z": [1, {"y": "€"}], "a": True},
            )
    return first, second


def tamper(database: Settings, statement: str, **values: object) -> None:
    """As somebody who owns the database, and has switched the guards off and on again."""
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute("ALTER TABLE audits DISABLE TRIGGER USER")
        assert connection.execute(statement.encode(), values).rowcount == 1
        for trigger in ("append_only", "append_only_truncate", "continue_chain"):
            connection.execute(f"ALTER TABLE audits ENABLE ALWAYS TRIGGER {trigger}".encode())


async def test_a_true_trail_has_no_problems(sessions: SessionFactory, database: Settings) -> None:
    await fill(sessions)
    assert problems(database) == []


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'Asked for it'",
        "actor = gen_random_uuid()",
        "created_at = created_at + interval '1 microsecond'",
        "created_at = 'infinity'",
        'metadata = \'{"z": [1, {"y": "€"}], "a": false}\'',
        "metadata = '{\"a\": 1.5}'",
        "ip_address = '2001:db8::7/64'",
        "ip_address = NULL",
        "user_agent = 'Chrome'",
        "session_id = gen_random_uuid()",
        "object_id = '1'",
        "id = gen_random_uuid()",
    ],
)
async def test_a_changed_row_is_found(sessions: SessionFactory, database: Settings, change: str) -> None:
    """AUD-4, and it is told once."""
    _, subject = await fill(sessions)
    statement = f"UPDATE audits SET {change} WHERE user_id = %(user_id)s AND sequence = 2"  # noqa: S608 - the test's own
    tamper(database, statement, user_id=subject)
    (problem,) = problems(database)
    assert (problem.invariant, problem.user_id, problem.sequence) == ("AUD-4", subject, 2)


@pytest.mark.parametrize(("sequence", "found_at"), [(1, 2), (2, 3), (3, 3)])
async def test_a_row_taken_out_is_found(
    sessions: SessionFactory, database: Settings, sequence: int, found_at: int
) -> None:
    """AUD-2, at the end of the chain too."""
    subject, _ = await fill(sessions)
    tamper(
        database,
        "DELETE FROM audits WHERE user_id = %(user_id)s AND sequence = %(sequence)s",
        user_id=subject,
        sequence=sequence,
    )
    (problem,) = problems(database)
    assert (problem.invariant, problem.user_id, problem.sequence) == ("AUD-2", subject, found_at)


async def test_a_row_with_a_hash_made_anew_is_found_at_the_next(sessions: SessionFactory, database: Settings) -> None:
    """AUD-2: who makes one hash anew must make all that follow."""
    subject, _ = await fill(sessions)
    tamper(
        database,
        "UPDATE audits SET entry_hash = sha256('other') WHERE user_id = %(user_id)s AND sequence = 2",
        user_id=subject,
    )
    assert {(p.invariant, p.sequence) for p in problems(database)} == {("AUD-4", 2), ("AUD-2", 3)}


async def test_a_head_that_was_moved_is_found(sessions: SessionFactory, database: Settings) -> None:
    """AUD-2."""
    subject, _ = await fill(sessions)
    tamper(database, "UPDATE audit_heads SET sequence = 2 WHERE user_id = %(user_id)s", user_id=subject)
    assert [(p.invariant, p.user_id, p.sequence) for p in problems(database)] == [("AUD-2", subject, 3)]


@pytest.mark.parametrize("which", [0, 1])
async def test_a_head_that_is_gone_is_found(sessions: SessionFactory, database: Settings, which: int) -> None:
    """AUD-2: amid the others or after them."""
    subject = (await fill(sessions))[which]
    tamper(database, "DELETE FROM audit_heads WHERE user_id = %(user_id)s", user_id=subject)
    found = [(problem.invariant, problem.user_id, problem.sequence) for problem in problems(database)]
    assert found == [("AUD-2", subject, sequence) for sequence in (1, 2, 3)]


@pytest.mark.parametrize(
    ("trigger", "invariant"), [("append_only", "AUD-1"), ("append_only_truncate", "AUD-1"), ("continue_chain", "AUD-2")]
)
@pytest.mark.parametrize("change", ["ALTER TABLE audits DISABLE TRIGGER {}", "DROP TRIGGER {} ON audits"])
def test_a_guard_that_is_off_is_found(database: Settings, trigger: str, invariant: str, change: str) -> None:
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute(change.format(trigger).encode())
    (problem,) = problems(database)
    assert (problem.invariant, trigger in problem.detail) == (invariant, True)
