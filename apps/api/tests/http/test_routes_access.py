"""Who is let in, how often their word is checked, and what the API's description says of it."""

import json
import re
from uuid import UUID

import pytest
from httpx import AsyncClient
from support.http import People, Signed, problem

from topcoin.http.dependencies import ActorDep, ClockDep, SettingsDep
from topcoin.http.routing import Router
from topcoin.http.schemas import Integer, Schema
from topcoin.infra.settings import Environment
from topcoin.kernel.access import Permission, customers, public, signed_in, staff
from topcoin.kernel.ids import new_id

router = Router(prefix="/try")


class Note(Schema):
    """A body, or an answer."""

    text: str
    count: Integer = 0


class Seen(Schema):
    """What a route was lent."""

    user_id: UUID | None
    kind: str
    request_id: str | None
    ip_address: str | None
    user_agent: str | None


@router.get("/open", access=public(), errors=[])
async def read_open() -> Note:
    return Note(text="open")


@router.get("/own", access=customers(Permission.ACCOUNTS_READ), errors=[])
async def read_own(actor: ActorDep, clock: ClockDep, settings: SettingsDep) -> Seen:
    assert clock.now().year == 2026
    assert settings.env is Environment.TEST
    return Seen(
        user_id=actor.user_id,
        kind=actor.kind,
        request_id=actor.request_id,
        ip_address=actor.ip_address,
        user_agent=actor.user_agent,
    )


@router.get("/staff", access=staff(Permission.AUDITS_READ), errors=[])
async def read_staff() -> Note:
    return Note(text="staff")


@router.post("/own", access=signed_in(Permission.SESSIONS_MANAGE, audit="note"), errors=[])
async def change_own(note: Note) -> Note:
    return note


@router.post("/scoped", access=customers(Permission.PROFILE_MANAGE), errors=[])
async def change_scoped(note: Note) -> Note:
    return note


@pytest.fixture
def http_routers() -> list[Router]:
    return [router]


async def test_a_customer_is_known_by_session_and_by_key(client: AsyncClient, people: People) -> None:
    for headers in (people.ada.by_session, people.ada.by_key):
        answer = await client.get("/api/v1/try/own", headers=headers | {"User-Agent": "curl/8"})
        assert answer.status_code == 200
        assert answer.json() == {
            "user_id": str(people.ada.user_id),
            "kind": "customer",
            "request_id": answer.headers["X-Request-ID"],
            "ip_address": "127.0.0.1",
            "user_agent": "curl/8",
        }


async def test_nobody_is_let_in_without_a_good_credential(client: AsyncClient, people: People) -> None:
    for headers, code in (
        ({}, "not_signed_in"),
        ({"Cookie": "topcoin_session=unknown"}, "not_signed_in"),
        ({"Authorization": "Bearer unknown"}, "invalid_credentials"),
        ({"Authorization": "Basic YTpi"}, "invalid_credentials"),
    ):
        answer = await client.get("/api/v1/try/own", headers=headers)
        assert problem(answer) == (401, code)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    both = await client.get("/api/v1/try/own", headers=people.ada.by_session | people.ben.by_key)
    assert problem(both) == (422, "ambiguous_credentials")


async def test_customers_and_staff_keep_to_their_own(client: AsyncClient, people: People) -> None:
    for path, let_in, kept_out in (
        ("/api/v1/try/own", people.ada, people.auditor),
        ("/api/v1/try/staff", people.auditor, people.ada),
    ):
        assert (await client.get(path, headers=let_in.by_session)).status_code == 200
        assert problem(await client.get(path, headers=kept_out.by_session)) == (403, "not_permitted")


async def test_a_cookie_alone_changes_nothing(client: AsyncClient, people: People) -> None:
    """Another site can have a browser send the cookie, but not the token."""
    path, note = "/api/v1/try/own", {"text": "hello"}
    headers = people.ada.by_session
    assert (await client.post(path, json=note, headers=headers)).status_code == 200
    for token in (None, "", "wrong", people.ben.csrf_token):
        sent = {"Cookie": headers["Cookie"]} | ({} if token is None else {"X-CSRF-Token": token})
        assert problem(await client.post(path, json=note, headers=sent)) == (403, "csrf_failed")
    assert (await client.get(path, headers={"Cookie": headers["Cookie"]})).status_code == 200


async def test_a_key_needs_no_csrf_token_but_its_scope(client: AsyncClient, people: People) -> None:
    answer = await client.post("/api/v1/try/scoped", json={"text": "x"}, headers=people.ada.by_key)
    assert problem(answer) == (403, "not_permitted")
    assert "scope" in answer.json()["detail"]


async def test_who_is_kept_out_is_not_told_what_was_wrong_with_the_body(client: AsyncClient) -> None:
    assert problem(await client.post("/api/v1/try/own", content=b"{")) == (401, "not_signed_in")


async def test_what_a_route_declares_is_described(client: AsyncClient) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    operation = document["paths"]["/api/v1/try/own"]["post"]
    assert operation["x-access"] == {
        "actors": ["customer", "staff"],
        "permission": "sessions.manage",
        "audit": "note",
        "idempotent": False,
    }
    assert operation["security"] == [{"session": []}, {"api_key": []}]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"X-CSRF-Token"}
    codes = {
        status: re.findall(r"`(\w+)`", response["description"])
        for status, response in operation["responses"].items()
        if int(status) >= 400
    }
    assert codes["401"] == ["invalid_credentials", "not_signed_in"]
    assert codes["403"] == ["csrf_failed", "not_permitted"]
    assert set(operation["responses"]["401"]["content"]) == {"application/problem+json"}
    assert "security" not in document["paths"]["/api/v1/try/open"]["get"]
    assert "HTTPValidationError" not in json.dumps(document)


async def test_somebody_unknown_stays_so(client: AsyncClient) -> None:
    """Only who the authenticator knows is let in, however well formed the credential."""
    stranger = Signed(new_id())
    for headers in (stranger.by_session, stranger.by_key):
        assert (await client.get("/api/v1/try/own", headers=headers)).status_code == 401
