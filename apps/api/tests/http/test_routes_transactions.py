"""One command, one transaction, committed before its answer begins."""

from typing import Any

import psycopg
import pytest
import structlog
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy import text
from support.factories import insert, user_row
from support.http import problem

from topcoin.http.dependencies import ReadSessionDep, SessionDep
from topcoin.http.routing import Router
from topcoin.http.schemas import Integer, Schema
from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.access import public

router = Router(prefix="/try")


SECRET = "s3cr3t-word"  # noqa: S105 - of the tests' own


class Note(Schema):
    """A body, or an answer."""

    text: str
    count: Integer = 0


@router.post("/users", access=public(), errors=[])
async def write_user(note: Note, session: SessionDep) -> Note:
    await insert(session, "users", user_row(email=f"{note.text}@example.com", display_name=note.text))
    if note.count:
        raise ZeroDivisionError(SECRET)
    return note


@router.post("/users-read", access=public(), errors=[])
async def write_user_reading(note: Note, session: ReadSessionDep) -> Note:
    await insert(session, "users", user_row())
    return note


@router.get("/limits", access=public(), errors=[])
async def read_limits(session: ReadSessionDep) -> Note:
    found = await session.execute(
        text("SELECT current_setting('statement_timeout') || current_setting('lock_timeout')")
    )
    return Note(text=found.scalar_one())


@pytest.fixture
def http_settings(database: Settings) -> Settings:
    """Commands commit."""
    return database


@pytest.fixture
def http_routers() -> list[Router]:
    return [router]


async def test_what_is_answered_is_committed(app: FastAPI, database: Settings) -> None:
    """HTT-4: at the moment in which the answer begins, another connection sees the row."""
    seen: list[tuple[int, int]] = []

    async def watching(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        async def send_watched(message: Any) -> None:  # noqa: ANN401 - ASGI
            if message["type"] == "http.response.start":
                with psycopg.connect(database_url(database, Role.OWNER)) as connection:
                    found = connection.execute("SELECT count(*) FROM users WHERE display_name = 'Zoe'").fetchone()
                assert found is not None
                seen.append((message["status"], found[0]))
            await send(message)

        await app(scope, receive, send_watched)

    async with AsyncClient(transport=ASGITransport(app=watching), base_url="http://topcoin.test") as client:
        await client.post("/api/v1/try/users", json={"text": "Zoe"})
    assert seen == [(200, 1)]


async def test_what_fails_is_rolled_back(client: AsyncClient, sessions: SessionFactory) -> None:
    await client.post("/api/v1/try/users", json={"text": "Yan", "count": 1})
    async with sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM users WHERE display_name = 'Yan'")) == 0


async def test_a_commit_that_fails_is_answered_as_a_failure(client: AsyncClient, database: Settings) -> None:
    """A rule that is judged at the commit, after the route has returned its answer."""
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;"
            " CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    assert problem(await client.post("/api/v1/try/users", json={"text": "Xia"})) == (500, "internal_error")


async def test_a_reading_route_cannot_write(client: AsyncClient, sessions: SessionFactory) -> None:
    async with sessions() as session:
        before = await session.scalar(text("SELECT count(*) FROM users"))
        assert problem(await client.post("/api/v1/try/users-read", json={"text": "x"})) == (500, "internal_error")
        assert await session.scalar(text("SELECT count(*) FROM users")) == before


async def test_statements_of_a_request_are_bounded(client: AsyncClient) -> None:
    assert (await client.get("/api/v1/try/limits")).json()["text"] == "15s10s"


async def test_an_unforeseen_error_tells_nothing_but_its_id(client: AsyncClient) -> None:
    """HTT-6."""
    with structlog.testing.capture_logs() as logged:
        answer = await client.post("/api/v1/try/users", json={"text": "ada", "count": 1})
    assert problem(answer) == (500, "internal_error")
    assert SECRET not in answer.text
    assert "ZeroDivision" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert [line["log_level"] for line in logged if line["event"] == "unexpected_error"] == ["error"]


async def test_a_rule_of_the_database_that_no_service_foresaw_is_ours_to_answer_for(client: AsyncClient) -> None:
    for status in (200, 500):
        answer = await client.post("/api/v1/try/users", json={"text": "twice"})
        assert answer.status_code == status
    assert problem(answer) == (500, "internal_error")
    assert "twice" not in answer.text
    assert "claim" not in answer.text


async def test_what_was_sent_is_not_repeated(client: AsyncClient) -> None:
    answer = await client.post("/api/v1/try/users", json={"text": [SECRET]})
    assert problem(answer) == (422, "invalid_request")
    assert SECRET not in answer.text
