"""How failures are answered: one document, the right status, nothing that is not the client's to know."""

from typing import Annotated

import pytest
import structlog
from fastapi import Query
from httpx import AsyncClient
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from support.http import People, problem

from topcoin.http.dependencies import ReadSessionDep
from topcoin.http.routing import Router
from topcoin.http.schemas import PAGE_SIZE_DEFAULT, CursorQuery, Integer, LimitQuery, Schema
from topcoin.kernel.access import Permission, public, signed_in
from topcoin.kernel.errors import Conflict, Forbidden, Invalid, NotFound, RuleBroken, Unavailable

router = Router(prefix="/try")


KINDS = {kind.code: kind for kind in (NotFound, Conflict, Forbidden, Invalid, RuleBroken, Unavailable)}


SECRET = "s3cr3t-word"  # noqa: S105 - of the tests' own


class Note(Schema):
    """A body, or an answer."""

    text: str
    count: Integer = 0


@router.get("/open", access=public(), errors=[])
async def read_open() -> Note:
    return Note(text="open")


@router.post("/own", access=signed_in(Permission.SESSIONS_MANAGE, audit="note"), errors=[])
async def change_own(note: Note) -> Note:
    return note


@router.get("/own", access=public(), errors=[])
async def read_own() -> Note:
    return Note(text="own")


@router.get("/fail/{code}", access=public(), errors=list(KINDS.values()))
async def fail(code: str) -> Note:
    raise KINDS[code](f"{code}: do otherwise")


@router.get("/undeclared", access=public(), errors=[])
async def fail_undeclared() -> Note:
    raise Conflict("nobody said so")


@router.get("/page", access=public(), errors=[])
async def read_page(
    word: Annotated[str, Query(max_length=20)] = "", limit: LimitQuery = PAGE_SIZE_DEFAULT, cursor: CursorQuery = None
) -> Note:
    return Note(text=f"{word}{cursor}", count=limit)


@router.get("/cancelled", access=public(), errors=[])
async def wait_for_database(session: ReadSessionDep) -> Note:
    await session.execute(text("SET LOCAL statement_timeout = 1"))
    await session.execute(text("SELECT pg_sleep(30)"))
    raise AssertionError


@router.get("/no-connection", access=public(), errors=[])
async def fail_for_want_of_a_connection() -> Note:
    raise PoolTimeout


@pytest.fixture
def http_routers() -> list[Router]:
    return [router]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *(("not_found", 404), ("conflict", 409), ("forbidden", 403), ("invalid", 422), ("rule_broken", 409)),
        ("unavailable", 503),
    ],
)
async def test_each_kind_of_error_has_its_status(client: AsyncClient, code: str, status: int) -> None:
    answer = await client.get(f"/api/v1/try/fail/{code}")
    assert problem(answer) == (status, code)
    assert answer.json()["detail"] == f"{code}: do otherwise"
    assert ("Retry-After" in answer.headers) is (status == 503)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{", {"body.1"}),
        (b'{"text": "a", "count": "b"}', {"body.count"}),
        (b'{"count": 1, "extra": 2}', {"body.text", "body.extra"}),
        (b'{"text": "\\u0000"}', {"body.0"}),
        (b'{"text": "a", "count": 10000000000000000000}', {"body.0"}),
        (b'{"text": "a", "\\ud800": 1}', {"body.0"}),
        (b'{"text": "\xff"}', {"body.0"}),
        (b"", {"body"}),
    ],
)
async def test_an_invalid_body_is_answered_by_field(
    client: AsyncClient, people: People, body: bytes, fields: set[str]
) -> None:
    headers = people.ada.by_session | {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/try/own", content=body, headers=headers)
    assert problem(answer) == (422, "invalid_request")
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert all(error["message"] for error in answer.json()["errors"])


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=10000000000000000000", "limit=a", f"word={'x' * 21}"])
async def test_an_invalid_query_is_answered_by_field(client: AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/try/page?{query}")
    assert problem(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == [f"query.{query.partition('=')[0]}"]


@pytest.mark.parametrize("path", ["/api/v1/try/page?word=a%00", "/api/v1/try/page?%00=1", "/api/v1/try/fail/a%00"])
async def test_an_address_with_nul_is_refused(client: AsyncClient, path: str) -> None:
    assert problem(await client.get(path)) == (422, "invalid_request")


async def test_what_no_route_has(client: AsyncClient) -> None:
    assert problem(await client.get("/api/v1/nothing")) == (404, "route_not_found")
    assert problem(await client.get("/api/v1/try/open/")) == (404, "route_not_found")
    answer = await client.put("/api/v1/try/own")
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST"


async def test_an_error_that_a_route_did_not_declare_is_answered_and_noted(client: AsyncClient) -> None:
    with structlog.testing.capture_logs() as logged:
        assert problem(await client.get("/api/v1/try/undeclared")) == (409, "conflict")
        assert problem(await client.get("/api/v1/try/fail/conflict")) == (409, "conflict")
    assert [line["route"] for line in logged if line["event"] == "undeclared_error"] == ["/api/v1/try/undeclared"]


async def test_a_database_that_fails_is_said_to_be_unavailable(client: AsyncClient) -> None:
    assert problem(await client.get("/api/v1/try/cancelled")) == (503, "database_unavailable")
    assert problem(await client.get("/api/v1/try/no-connection")) == (503, "overloaded")
