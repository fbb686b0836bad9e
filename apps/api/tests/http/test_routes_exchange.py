"""What surrounds every request: limits, ids, headers, and its line in the log."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
import structlog
from httpx import ASGITransport, AsyncClient
from support.http import People, problem

from topcoin.entrypoints.http.app import create_app
from topcoin.http.middleware import BODY_BYTES_MAX
from topcoin.http.routing import Router
from topcoin.http.schemas import Integer, Schema
from topcoin.infra.settings import Settings
from topcoin.kernel.access import Permission, customers, public

router = Router(prefix="/try")


SECRET = "s3cr3t-word"  # noqa: S105 - of the tests' own


class Note(Schema):
    """A body, or an answer."""

    text: str
    count: Integer = 0


@router.get("/open", access=public(), errors=[])
async def read_open() -> Note:
    return Note(text="open")


@router.get("/own", access=customers(Permission.ACCOUNTS_READ), errors=[])
async def read_own() -> Note:
    return Note(text="own")


@router.get("/forever", access=public(), errors=[])
async def never_answer() -> Note:
    await asyncio.Event().wait()
    raise AssertionError


@router.post("/echo", access=public(), errors=[])
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return body


@pytest.fixture
def http_routers() -> list[Router]:
    return [router]


async def chunks(total: int) -> AsyncGenerator[bytes]:
    """A body that does not say how long it is."""
    yield b'{"text": "'
    for _ in range(total // 4096):
        yield b"x" * 4096
    yield b'"}'


async def test_a_body_that_is_too_long_is_refused(client: AsyncClient) -> None:
    """Whether or not it says how long it is; one that is just short enough is read."""
    path, headers = "/api/v1/try/echo", {"Content-Type": "application/json"}
    whole = b'{"text": "' + b"x" * (BODY_BYTES_MAX - 12) + b'"}'
    assert (await client.post(path, content=whole, headers=headers)).status_code == 200
    assert problem(await client.post(path, content=whole + b" ", headers=headers)) == (413, "request_too_large")
    assert (await client.post(path, content=chunks(BODY_BYTES_MAX // 2), headers=headers)).status_code == 200
    too_long = await client.post(path, content=chunks(BODY_BYTES_MAX), headers=headers)
    assert problem(too_long) == (413, "request_too_large")


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "9" * 5000])
async def test_a_length_that_is_no_number_is_refused(client: AsyncClient, length: str) -> None:
    answer = await client.post("/api/v1/try/echo", content=b"{}", headers={"Content-Length": length})
    assert problem(answer) == (413, "request_too_large")


async def test_a_request_that_takes_too_long_is_given_up(database: Settings) -> None:
    async def silent() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    app = create_app(database, routers=[router], answer_seconds_max=0)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app=app), base_url="http://topcoin.test") as client,
    ):
        assert problem(await client.get("/api/v1/try/forever")) == (503, "answer_timed_out")
        slow = await client.post("/api/v1/try/echo", content=silent(), headers={"Content-Type": "application/json"})
        assert problem(slow) == (408, "request_timed_out")


async def test_a_request_has_an_id_of_the_callers_or_ours(client: AsyncClient) -> None:
    sane = await client.get("/api/v1/try/open", headers={"X-Request-ID": "job-0042.1"})
    assert sane.headers["X-Request-ID"] == "job-0042.1"
    ours = await client.get("/api/v1/try/open", headers={"X-Request-ID": "no way\x00"})
    assert UUID(ours.headers["X-Request-ID"]).version == 7


@pytest.mark.parametrize("path", ["/api/v1/try/open", "/api/v1/nothing", "/healthz"])
async def test_answers_are_kept_from_being_misused(client: AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers


async def test_no_other_site_may_read_answers(client: AsyncClient) -> None:
    answer = await client.get("/api/v1/try/open", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_one_line_is_logged_for_a_request_and_no_secret_in_it(client: AsyncClient, people: People) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        answer = await client.get(f"/api/v1/try/own?token={SECRET}", headers=people.ada.by_session)
    (line,) = logged
    assert line.pop("milliseconds") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/api/v1/try/own",
        "route": "/api/v1/try/own",
        "status": 200,
        "request_id": answer.headers["X-Request-ID"],
        "user_id": str(people.ada.user_id),
    }


async def test_a_path_cannot_write_a_line_of_its_own(client: AsyncClient) -> None:
    with structlog.testing.capture_logs() as logged:
        await client.get("/x%0a2026-01-05 all is well")
    assert [line["path"] for line in logged] == [r"/x\n2026-01-05 all is well"]
