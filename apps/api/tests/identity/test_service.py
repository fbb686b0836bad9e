"""What signing in does besides answering: work, turns, new hashes, roles."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from identity.people import QUICK_PASSWORDS, Person
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, make_user

from topcoin.audit.errors import ReasonRequired
from topcoin.http.errors import InvalidCredentials
from topcoin.identity.api_keys.domain import LIVE_MAX
from topcoin.identity.api_keys.service import create_api_key
from topcoin.identity.errors import (
    OwnRoles,
    ReauthenticationRequired,
    RoleUnchanged,
    SessionNotFound,
    SignInsBusy,
    TooManyApiKeys,
    UserNotFound,
)
from topcoin.identity.passwords import service as passwords
from topcoin.identity.roles.service import grant_role, revoke_role
from topcoin.identity.service import get_user
from topcoin.identity.sessions.domain import REAUTHENTICATION_LASTS, SEEN_INTERVAL
from topcoin.identity.sessions.service import SignedIn, find_by_token, require_recent_password, sign_in
from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.database.unit_of_work import transaction
from topcoin.kernel.access import Actor, ActorKind, Permission, StaffRole
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.ids import new_id

SOMEBODY: Final = Actor(ActorKind.PUBLIC, ip_address="192.0.2.7", user_agent="Firefox", request_id="r-12345678")
ADMIN: Final = Actor(ActorKind.STAFF, user_id=new_id(), roles=frozenset({StaffRole.ADMIN}))
WRONG: Final = "wrong password"


async def enter(sessions: SessionFactory, clock: ManualClock, person: Person, **changes: Any) -> SignedIn:  # noqa: ANN401 - arguments of sign_in
    """Sign in, in a transaction of its own."""
    wanted = {"email": person.email, "password": person.password, **changes}
    async with transaction(sessions) as session:
        return await sign_in(session, clock, SOMEBODY, **wanted)


async def column(sessions: SessionFactory, name: str, person: Person) -> Any:  # noqa: ANN401 - a column of any type
    """A column of a person's row."""
    async with sessions() as session:
        return await session.scalar(text(f"SELECT {name} FROM users WHERE id = :id"), {"id": person.user_id})  # noqa: S608 - the tests' own


# -- Passwords -------------------------------------------------------------------------------------------------------


def test_a_password_is_hashed_as_owasp_asks() -> None:
    """Argon2id, with at least 19 MiB and two passes."""
    kind, version, parameters = passwords.hash_password("correct horse").split("$")[1:4]
    assert (kind, version) == ("argon2id", "v=19")
    costs = dict(cost.split("=") for cost in parameters.split(","))
    assert int(costs["m"]) >= 19 * 1024
    assert int(costs["t"]) >= 2


class CountingHasher(Argon2Hasher):
    """Counts how often a password is worked on."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.worked_on = 0

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's signature
        """Count, and check."""
        self.worked_on += 1
        return super().verify(password, hash)


async def test_an_unknown_address_costs_as_much_work_as_a_wrong_password(
    sessions: SessionFactory,
    clock: ManualClock,
    ada: Person,
    monkeypatch: pytest.MonkeyPatch,
    quick_passwords: PasswordHash,
) -> None:
    """And so does a user without a password: nobody learns from the time who is registered."""
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_passwords", PasswordHash((hasher,)))
    assert quick_passwords
    work: list[int] = []
    for email in (ada.email, "nobody@example.com", "house@topcoin.invalid"):
        before = hasher.worked_on
        with pytest.raises(InvalidCredentials):
            await enter(sessions, clock, ada, email=email, password=WRONG)
        work.append(hasher.worked_on - before)
    assert work == [1, 1, 1]


async def test_a_hash_with_parameters_of_the_past_is_replaced(
    sessions: SessionFactory, clock: ManualClock, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=16, parallelism=1),))
    monkeypatch.setattr(passwords, "_passwords", today)
    before = await column(sessions, "hashed_password", ada)
    await enter(sessions, clock, ada)
    after = await column(sessions, "hashed_password", ada)
    assert "m=16,t=2" in after
    assert after != before
    await enter(sessions, clock, ada)
    assert await column(sessions, "hashed_password", ada) == after


async def test_only_so_many_wait_for_their_turn() -> None:
    async with AsyncExitStack() as busy:
        for _ in range(passwords.AT_ONCE):
            await busy.enter_async_context(passwords.turn())

        async def wait() -> bool:
            async with passwords.turn():
                return True

        waiting = [asyncio.create_task(wait()) for _ in range(passwords.WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(SignInsBusy):
            await wait()
        # Who gives up makes room for another.
        waiting.pop().cancel()
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(wait()))
    assert await asyncio.gather(*waiting) == [True] * passwords.WAITING_MAX


async def test_the_event_loop_goes_on_while_a_password_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check waits in its thread for something that only the event loop can do."""
    loop, is_alive = asyncio.get_running_loop(), asyncio.Event()

    class Waiting(Argon2Hasher):
        def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's signature
            asyncio.run_coroutine_threadsafe(is_alive.wait(), loop).result(timeout=10)
            return super().verify(password, hash)

    hasher = Waiting(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_passwords", PasswordHash((hasher,)))
    loop.call_soon(is_alive.set)
    assert (await passwords.check_password("right", hasher.hash("right"))).matches


# -- Sessions --------------------------------------------------------------------------------------------------------


async def test_signing_in_is_recorded(
    sessions: SessionFactory, clock: ManualClock, ada: Person, quick_passwords: PasswordHash
) -> None:
    assert quick_passwords
    first = await enter(sessions, clock, ada)
    second = await enter(sessions, clock, ada, replaces_token=first.token)
    assert await column(sessions, "last_login_at", ada) == NOW
    async with sessions() as session:
        rows = (await session.execute(text("SELECT * FROM audits ORDER BY sequence"))).all()
    assert [(row.user_id, row.actor, row.action, row.session_id) for row in rows] == [
        (ada.user_id, ada.user_id, "sign_in", first.session.id),
        (ada.user_id, ada.user_id, "sign_in", second.session.id),
    ]
    assert (str(rows[0].ip_address), rows[0].user_agent, rows[0].request_id) == ("192.0.2.7", "Firefox", "r-12345678")
    assert [row.metadata for row in rows] == [{}, {"replaces": str(first.session.id)}]


async def test_anothers_session_is_not_ended_by_signing_in(
    sessions: SessionFactory, clock: ManualClock, ada: Person, ben: Person, quick_passwords: PasswordHash
) -> None:
    assert quick_passwords
    adas = await enter(sessions, clock, ada)
    await enter(sessions, clock, ben, replaces_token=adas.token)
    async with sessions() as session:
        assert await find_by_token(session, clock, adas.token) is not None


async def test_not_every_request_writes(
    sessions: SessionFactory, clock: ManualClock, ada: Person, quick_passwords: PasswordHash
) -> None:
    assert quick_passwords
    signed = await enter(sessions, clock, ada)
    seen: list[timedelta] = []
    for step in (SEEN_INTERVAL / 2, SEEN_INTERVAL / 2, SEEN_INTERVAL / 2):
        clock.advance(step)
        async with transaction(sessions) as session:
            await find_by_token(session, clock, signed.token)
            seen.append(await session.scalar(text("SELECT last_seen_at FROM user_sessions")) - NOW)
    assert seen == [timedelta(0), SEEN_INTERVAL, SEEN_INTERVAL]


async def test_a_password_given_long_ago_has_to_be_given_again(
    sessions: SessionFactory, clock: ManualClock, ada: Person, quick_passwords: PasswordHash
) -> None:
    assert quick_passwords
    signed = await enter(sessions, clock, ada)
    actor = replace(SOMEBODY, kind=ActorKind.CUSTOMER, user_id=ada.user_id, session_id=signed.session.id)
    async with sessions() as session:
        await require_recent_password(session, clock, actor)
        clock.advance(REAUTHENTICATION_LASTS)
        with pytest.raises(ReauthenticationRequired):
            await require_recent_password(session, clock, actor)
        with pytest.raises(SessionNotFound):
            await require_recent_password(session, clock, replace(actor, session_id=None, api_key_id=new_id()))


# -- API keys and roles ----------------------------------------------------------------------------------------------


async def test_keys_made_at_once_keep_to_the_limit(sessions: SessionFactory, clock: ManualClock, ada: Person) -> None:
    actor = Actor(ActorKind.CUSTOMER, user_id=ada.user_id)

    async def make() -> bool:
        try:
            async with transaction(sessions) as session:
                await create_api_key(
                    session, clock, actor, user_id=ada.user_id, name="Key", scopes=[Permission.LEDGER_READ]
                )
        except TooManyApiKeys:
            return False
        return True

    for _ in range(LIVE_MAX - 2):
        await make()
    assert sorted(await asyncio.gather(*(make() for _ in range(4)))) == [False, False, True, True]


async def trail(session: AsyncSession, user_id: UUID) -> list[tuple[Any, ...]]:
    """Action, reason and changes of a user's audits."""
    rows = await session.execute(
        text("SELECT action, reason, changes FROM audits WHERE user_id = :id ORDER BY sequence"), {"id": user_id}
    )
    return [tuple(row) for row in rows]


async def is_admin(session: AsyncSession, user_id: UUID) -> bool | None:
    """Whether a user's row says that they are staff."""
    return await session.scalar(text("SELECT is_admin FROM users WHERE id = :id"), {"id": user_id})


async def test_roles_come_and_go(session: AsyncSession) -> None:
    """IDN-4."""
    clock, user_id = ManualClock(NOW), await make_user(session)
    for role in (StaffRole.SUPPORT, StaffRole.TREASURY):
        await grant_role(session, clock, ADMIN, user_id=user_id, role=role, reason="Hired")
    assert (await get_user(session, user_id)).roles == {StaffRole.SUPPORT, StaffRole.TREASURY}
    assert await is_admin(session, user_id) is True
    for role in (StaffRole.SUPPORT, StaffRole.TREASURY):
        await revoke_role(session, clock, ADMIN, user_id=user_id, role=role, reason="Left")
    assert (await get_user(session, user_id)).roles == frozenset()
    assert await is_admin(session, user_id) is False
    await grant_role(session, clock, ADMIN, user_id=user_id, role=StaffRole.SUPPORT, reason="Came back")
    assert (await get_user(session, user_id)).roles == {StaffRole.SUPPORT}
    found = await trail(session, user_id)
    assert found[1] == ("grant_role", "Hired", {"roles": {"before": ["support"], "after": ["support", "treasury"]}})
    assert [action for action, _, _ in found] == ["grant_role"] * 2 + ["revoke_role"] * 2 + ["grant_role"]


async def test_a_role_that_cannot_be_changed_so_is_left(session: AsyncSession) -> None:
    clock, user_id = ManualClock(NOW), await make_user(session)
    role = StaffRole.AUDITOR
    with pytest.raises(RoleUnchanged):
        await revoke_role(session, clock, ADMIN, user_id=user_id, role=role, reason="Left")
    await grant_role(session, clock, ADMIN, user_id=user_id, role=role, reason="Hired")
    with pytest.raises(RoleUnchanged):
        await grant_role(session, clock, ADMIN, user_id=user_id, role=role, reason="Hired")
    with pytest.raises(UserNotFound):
        await grant_role(session, clock, ADMIN, user_id=new_id(), role=role, reason="Hired")
    with pytest.raises(OwnRoles):
        await grant_role(session, clock, replace(ADMIN, user_id=user_id), user_id=user_id, role=role, reason="Me")
    with pytest.raises(ReasonRequired):
        await revoke_role(session, clock, ADMIN, user_id=user_id, role=role, reason=" ")
    assert len(await trail(session, user_id)) == 1


def test_quick_passwords_are_for_tests_alone() -> None:
    assert passwords._passwords is not QUICK_PASSWORDS
