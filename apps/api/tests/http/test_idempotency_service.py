"""`Idempotency-Key` over HTTP, on a command that posts to the ledger: HTT-1, HTT-2, HTT-3."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.requests import Request
from starlette.responses import JSONResponse
from support.factories import make_account
from support.http import People, Signed

from topcoin.http.dependencies import ActorDep, ClockDep, SessionDep
from topcoin.http.idempotency.domain import KEPT_FOR
from topcoin.http.idempotency.service import forget_expired
from topcoin.http.routing import Router
from topcoin.http.schemas import Amount, Schema
from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.database.unit_of_work import transaction
from topcoin.infra.settings import Settings
from topcoin.kernel.access import Permission, customers
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.errors import Unavailable
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts.service import get_figures
from topcoin.ledger.errors import AccountNotFound, PostingRefused
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting.service import post

router = Router(prefix="/gifts")
commands = customers(Permission.PROFILE_MANAGE, audit="give", idempotent=True)


class Gift(Schema):
    """A command that moves (simulated) money."""

    account_id: UUID
    amount: Amount


class Given(Schema):
    """What it did."""

    sequence: int
    balance: Amount


@router.post("", access=commands, errors=[AccountNotFound, PostingRefused, Unavailable], status_code=201)
async def give(gift: Gift, request: Request, session: SessionDep, actor: ActorDep, clock: ClockDep) -> Given:
    """Change the balance, once more each time that it is carried out."""
    assert actor.user_id is not None
    account = AccountKey(actor.user_id, gift.account_id)
    journal = balance_adjusted(account, new_id(), gift.amount, kind="bonus", reason="A gift")
    entry = (await post(session, [journal], now=clock.now()))[0].unwrap()[0]
    if failures := getattr(request.app.state, "failures", []):
        raise failures.pop()
    assert entry.balance_after is not None
    return Given(sequence=entry.sequence, balance=entry.balance_after)


@router.post("/refused", access=commands, errors=[])
async def give_but_refuse(
    gift: Gift, request: Request, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> JSONResponse:
    """Answer with a refusal instead of raising one, after having posted."""
    await give(gift, request, session, actor, clock)
    return JSONResponse({"refused": True}, 409)


@pytest.fixture
def http_settings(database: Settings) -> Settings:
    """Commands commit."""
    return database


@pytest.fixture
async def people(sessions: SessionFactory, people: People) -> People:
    """Two customers with accounts."""
    async with sessions() as session, session.begin():
        ada, ben = [await make_account(session) for _ in range(2)]
    return people._replace(ada=Signed(ada.user_id, ada), ben=Signed(ben.user_id, ben))


@pytest.fixture
def http_routers() -> list[Router]:
    return [router]


async def ask(
    client: AsyncClient, who: Signed, key: str | None = "k1", *, amount: str = "10", path: str = "/api/v1/gifts"
) -> Response:
    """Send the command."""
    assert who.account is not None
    headers = who.by_session | ({} if key is None else {"Idempotency-Key": key})
    return await client.post(path, json={"account_id": str(who.account.account_id), "amount": amount}, headers=headers)


async def balance_of(sessions: SessionFactory, who: Signed) -> Decimal:
    """The virtual balance as others see it."""
    assert who.account is not None
    async with sessions() as session:
        return (await get_figures(session, *who.account)).virtual


def keys_in(database: Settings) -> list[str]:
    """The keys that are taken."""
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM idempotency_keys ORDER BY key")]


async def test_a_command_that_is_repeated_is_answered_again_and_done_once(
    client: AsyncClient, people: People, sessions: SessionFactory
) -> None:
    """HTT-1."""
    first, second = [await ask(client, people.ada) for _ in range(2)]
    assert (first.status_code, first.json()["balance"]) == (201, "10.00000000")
    assert "Idempotency-Replayed" not in first.headers
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert await balance_of(sessions, people.ada) == 10


async def test_of_many_at_once_one_is_carried_out_and_all_get_its_answer(
    client: AsyncClient, people: People, sessions: SessionFactory
) -> None:
    """HTT-1."""
    answers = await asyncio.gather(*(ask(client, people.ada) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await balance_of(sessions, people.ada) == 10


async def test_where_the_first_of_two_fails_the_one_that_waited_is_carried_out(
    app: FastAPI, client: AsyncClient, people: People, sessions: SessionFactory
) -> None:
    """HTT-3."""
    app.state.failures = [Unavailable("try again")]
    answers = await asyncio.gather(*(ask(client, people.ada) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 503]
    assert await balance_of(sessions, people.ada) == 10


@pytest.mark.parametrize(
    ("amount", "path"), [("11", "/api/v1/gifts"), ("10", "/api/v1/gifts?x=1"), ("10", "/api/v1/gifts/refused")]
)
async def test_a_key_that_was_used_for_another_request_is_refused(
    client: AsyncClient, people: People, sessions: SessionFactory, amount: str, path: str
) -> None:
    """HTT-2."""
    await ask(client, people.ada)
    other = await ask(client, people.ada, amount=amount, path=path)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert await balance_of(sessions, people.ada) == 10


async def test_a_key_is_its_users_own(client: AsyncClient, people: People, sessions: SessionFactory) -> None:
    ada, ben = [await ask(client, each, amount=amount) for each, amount in ((people.ada, "1"), (people.ben, "2"))]
    assert (ada.status_code, ben.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in ben.headers
    assert await balance_of(sessions, people.ben) == 2


async def test_a_refused_command_leaves_its_key_unused(
    client: AsyncClient, people: People, sessions: SessionFactory, database: Settings
) -> None:
    """HTT-3, by a rule of the ledger (409), an invalid body (422), and an answer with an error's status."""
    too_much = await ask(client, people.ada, amount="-1")
    assert (too_much.status_code, too_much.json()["code"]) == (409, "insufficient_funds")
    assert (await ask(client, people.ada, amount="much")).status_code == 422
    answered = await ask(client, people.ada, path="/api/v1/gifts/refused")
    assert (answered.status_code, answered.json()) == (409, {"refused": True})
    assert keys_in(database) == []
    assert await balance_of(sessions, people.ada) == 0
    assert (await ask(client, people.ada)).status_code == 201
    assert keys_in(database) == ["k1"]


async def test_an_unforeseen_failure_leaves_the_key_unused(
    app: FastAPI, client: AsyncClient, people: People, sessions: SessionFactory, database: Settings
) -> None:
    """HTT-3."""
    app.state.failures = [ZeroDivisionError()]
    assert (await ask(client, people.ada)).status_code == 500
    assert keys_in(database) == []
    assert await balance_of(sessions, people.ada) == 0


@pytest.mark.parametrize(("key", "code"), [(None, "idempotency_key_required"), ("a b", "invalid_idempotency_key")])
async def test_a_sound_key_is_required(
    client: AsyncClient, people: People, sessions: SessionFactory, key: str | None, code: str
) -> None:
    answer = await ask(client, people.ada, key)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await balance_of(sessions, people.ada) == 0


async def test_a_key_is_free_again_when_it_has_expired(client: AsyncClient, people: People, clock: ManualClock) -> None:
    await ask(client, people.ada)
    clock.advance(KEPT_FOR - timedelta(seconds=1))
    assert (await ask(client, people.ada)).headers["Idempotency-Replayed"] == "true"
    clock.advance(timedelta(seconds=1))
    again = await ask(client, people.ada, amount="5")
    assert (again.status_code, again.json()["balance"]) == (201, "15.00000000")


async def test_expired_keys_are_forgotten_and_no_others(
    client: AsyncClient, people: People, sessions: SessionFactory, clock: ManualClock, database: Settings
) -> None:
    await ask(client, people.ada, "old")
    clock.advance(KEPT_FOR)
    await ask(client, people.ada, "new")
    async with transaction(sessions) as session:
        assert await forget_expired(session, clock) == 1
    assert keys_in(database) == ["new"]
