"""Signing in and what is one's own, over HTTP: as a browser does it, and as a program."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from httpx import AsyncClient, Response
from identity.people import Person, make_person
from sqlalchemy import text
from structlog.testing import capture_logs

from topcoin.http.authentication import SESSION_COOKIE
from topcoin.identity.api_keys.domain import LIFETIME_DEFAULT, LIVE_MAX
from topcoin.identity.passwords.service import UNUSABLE_PASSWORD
from topcoin.identity.sessions.domain import ABSOLUTE_TIMEOUT, IDLE_TIMEOUT
from topcoin.identity.tokens.domain import token_hash
from topcoin.infra.database.connect import SessionFactory
from topcoin.kernel.clock import ManualClock
from topcoin.kernel.ids import new_id

WRONG: Final = "wrong password"


async def login(browser: AsyncClient, person: Person, **changes: object) -> Response:
    """Ask to be signed in."""
    return await browser.post("auth/login", json={"email": person.email, "password": person.password, **changes})


async def sign_in(browser: AsyncClient, person: Person) -> dict[str, Any]:
    """Sign in, and send the CSRF token from now on."""
    answer = await login(browser, person)
    assert answer.status_code == 200, answer.text
    browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return answer.json()


async def make_key(browser: AsyncClient, *scopes: str, **body: object) -> dict[str, Any]:
    """Make an API key of who is signed in."""
    answer = await browser.post("me/api-keys", json={"name": "Bookkeeping", "scopes": scopes, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def by_key(secret: str) -> dict[str, str]:
    """The header of a program."""
    return {"Authorization": f"Bearer {secret}"}


def code_of(answer: Response) -> tuple[int, str]:
    """What a refusal says to programs."""
    return answer.status_code, answer.json()["code"]


async def change_user(sessions: SessionFactory, person: Person, assignment: str) -> None:
    """Change a user's row behind the application's back."""
    async with sessions() as session, session.begin():
        await session.execute(text(f"UPDATE users SET {assignment} WHERE id = :id"), {"id": person.user_id})  # noqa: S608 - the tests' own


async def actions(sessions: SessionFactory, person: Person) -> list[str]:
    """What a person's trail says was done."""
    async with sessions() as session:
        found = await session.execute(
            text("SELECT action FROM audits WHERE user_id = :id ORDER BY sequence"), {"id": person.user_id}
        )
        return list(found.scalars())


# -- Signing in ------------------------------------------------------------------------------------------------------


async def test_signing_in_answers_who_one_is(browser: AsyncClient, ada: Person) -> None:
    answer = await login(browser, ada)
    assert answer.status_code == 200
    body = answer.json()
    assert (
        body["user"].items()
        >= {
            "id": str(ada.user_id),
            "email": ada.email,
            "kyc_status": "not_submitted",
            "can_access_trading": False,
            "roles": [],
            "last_login_at": "2026-01-05T09:00:00Z",
        }.items()
    )
    assert body["expires_at"] == "2026-01-05T21:00:00Z"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: AsyncClient, ada: Person) -> None:
    (cookie,) = (await login(browser, ada)).headers.get_list("set-cookie")
    name_and_value, *attributes = cookie.split("; ")
    assert name_and_value.startswith(f"{SESSION_COOKIE}=")
    assert {attribute.lower() for attribute in attributes} == {
        *("httponly", "secure", "path=/", "samesite=lax"),
        f"max-age={int(ABSOLUTE_TIMEOUT.total_seconds())}",
    }


async def test_an_address_is_known_in_whatever_case(browser: AsyncClient, ada: Person) -> None:
    assert (await login(browser, ada, email=" ADA@Example.com ")).status_code == 200


async def test_an_unknown_address_and_a_wrong_password_get_one_answer(browser: AsyncClient, ada: Person) -> None:
    """And so does whoever is banned, from whoever lacks the password."""
    answers = [
        await login(browser, ada, password=WRONG),
        await login(browser, ada, email="nobody@example.com"),
        await login(browser, ada, email="no address"),
        await login(browser, ada, email="house@topcoin.invalid", password=UNUSABLE_PASSWORD),
    ]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert bodies[0]["code"] == "invalid_credentials"
    assert all(body == bodies[0] for body in bodies)
    assert not browser.cookies


async def test_who_is_shut_out_is_told_so_for_the_right_password_alone(
    browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    """IDN-5."""
    await change_user(sessions, ada, "is_active = false")
    assert code_of(await login(browser, ada)) == (403, "user_inactive")
    assert code_of(await login(browser, ada, password=WRONG)) == (401, "invalid_credentials")
    assert not browser.cookies
    assert await actions(sessions, ada) == []


@pytest.mark.parametrize("body", [{}, {"email": "a@b.c"}, {"email": 1, "password": "x"}, {"password": "x" * 1025}])
async def test_a_malformed_sign_in_does_not_repeat_the_password(browser: AsyncClient, body: dict[str, object]) -> None:
    answer = await browser.post("auth/login", json={"password": "hunter2 hunter2", **body, "extra": 1})
    assert code_of(answer) == (422, "invalid_request")
    assert "hunter2" not in answer.text


async def test_signing_in_again_replaces_the_session(
    browser: AsyncClient, other_browser: AsyncClient, ada: Person
) -> None:
    await sign_in(browser, ada)
    token = browser.cookies[SESSION_COOKIE]
    await sign_in(browser, ada)
    assert browser.cookies[SESSION_COOKIE] != token
    other_browser.cookies.set(SESSION_COOKIE, token)
    assert (await other_browser.get("me")).status_code == 401
    assert len((await browser.get("me/sessions")).json()["items"]) == 1


async def test_a_token_brought_along_is_never_taken_over(browser: AsyncClient, ada: Person) -> None:
    """Session fixation: the token is ours, whatever cookie the browser came with."""
    browser.cookies.set(SESSION_COOKIE, "planted-by-somebody-else")
    answer = await login(browser, ada)
    assert "planted-by-somebody-else" not in answer.headers["set-cookie"]


async def test_nothing_that_opens_a_session_is_stored_or_logged(
    browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    """IDN-6, AUD-3."""
    with capture_logs() as logs:
        await login(browser, ada, password=WRONG)
        signed = await sign_in(browser, ada)
        key = await make_key(browser, "accounts.read")
        await browser.get("me")
    secrets = [browser.cookies[SESSION_COOKIE], signed["csrf_token"], key["secret"], ada.password, WRONG]
    assert logs
    stored = str(logs)
    async with sessions() as session:
        tables = ("users", "user_sessions", "session_token_claims", "api_keys", "api_key_claims", "audits")
        for table in tables:
            rows = (await session.execute(text(f"SELECT * FROM {table}"))).all()  # noqa: S608 - the tests' own
            assert rows
            stored += str(rows)
    assert [secret for secret in secrets if secret in stored] == []
    assert str(token_hash(key["secret"])) in stored


# -- Staying signed in -----------------------------------------------------------------------------------------------


async def test_me_is_who_is_signed_in(browser: AsyncClient, other_browser: AsyncClient, ada: Person) -> None:
    signed = await sign_in(browser, ada)
    assert (await browser.get("me")).json() == {"user": signed["user"], "csrf_token": signed["csrf_token"]}
    assert code_of(await other_browser.get("me")) == (401, "not_signed_in")


async def test_an_unused_session_is_over(browser: AsyncClient, clock: ManualClock, ada: Person) -> None:
    await sign_in(browser, ada)
    clock.advance(IDLE_TIMEOUT - timedelta(seconds=1))
    assert (await browser.get("me")).status_code == 200
    clock.advance(IDLE_TIMEOUT - timedelta(seconds=1))
    assert (await browser.get("me")).status_code == 200
    clock.advance(IDLE_TIMEOUT)
    assert code_of(await browser.get("me")) == (401, "not_signed_in")


async def test_a_session_in_use_is_over_in_the_end(browser: AsyncClient, clock: ManualClock, ada: Person) -> None:
    await sign_in(browser, ada)
    step = timedelta(minutes=20)
    for _ in range(ABSOLUTE_TIMEOUT // step - 1):
        clock.advance(step)
        assert (await browser.get("me")).status_code == 200
    clock.advance(step)
    assert (await browser.get("me")).status_code == 401


async def test_a_ban_leaves_a_customer_the_ways_out_and_no_way_in(
    browser: AsyncClient, other_browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    """Trust rule T2: live sessions and keys go on reading at once, and new sign-ins too; nothing new is started."""
    await sign_in(browser, ada)
    program = by_key((await make_key(browser, "profile.read"))["secret"])
    assert (await browser.patch("me", json={"display_name": "Ada L."})).status_code == 200
    await change_user(sessions, ada, "is_banned = true, banned_reason = 'Fraud'")
    assert (await browser.get("me")).status_code == 200
    assert (await other_browser.get("me", headers=program)).status_code == 200
    assert code_of(await browser.patch("me", json={"display_name": "Eve"})) == (403, "not_permitted")
    await sign_in(browser, ada)
    assert (await browser.post("auth/logout")).status_code < 300


async def test_shutting_somebody_out_acts_at_once(
    browser: AsyncClient, other_browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    """IDN-5: on live sessions and API keys."""
    await sign_in(browser, ada)
    program = by_key((await make_key(browser, "profile.read"))["secret"])
    assert (await other_browser.get("me", headers=program)).status_code == 200
    await change_user(sessions, ada, "is_active = false")
    assert code_of(await browser.get("me")) == (401, "not_signed_in")
    assert code_of(await other_browser.get("me", headers=program)) == (401, "invalid_credentials")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", "auth/logout"), ("POST", "auth/reauthenticate"), ("PATCH", "me"), ("POST", "me/api-keys")),
        *(("DELETE", "me/sessions/{id}"), ("DELETE", "me/api-keys/{id}")),
    ],
)
async def test_another_sites_form_changes_nothing(browser: AsyncClient, ada: Person, method: str, path: str) -> None:
    """The cookie alone does not do, nor does another session's token."""
    await sign_in(browser, ada)
    stale = browser.headers["X-CSRF-Token"]
    await sign_in(browser, ada)
    bodies: dict[str, dict[str, object]] = {
        "auth/reauthenticate": {"password": ada.password},
        "me": {"display_name": "Eve"},
        "me/api-keys": {"name": "Eve", "scopes": ["profile.read"]},
    }
    del browser.headers["X-CSRF-Token"]
    for headers in ({}, {b"X-CSRF-Token": stale.encode()}, {b"X-CSRF-Token": "wröng".encode("latin-1")}):
        answer = await browser.request(method, path.format(id=new_id()), json=bodies.get(path), headers=headers)
        assert code_of(answer) == (403, "csrf_failed")
    assert (await browser.get("me")).json()["user"]["display_name"] == "Ada"


async def test_signing_out_ends_the_session_and_removes_the_cookie(
    browser: AsyncClient, other_browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    await sign_in(browser, ada)
    other_browser.cookies.set(SESSION_COOKIE, browser.cookies[SESSION_COOKIE])
    assert (await browser.post("auth/logout")).status_code == 204
    assert SESSION_COOKIE not in browser.cookies
    assert (await other_browser.get("me")).status_code == 401
    assert await actions(sessions, ada) == ["sign_in", "sign_out"]


async def test_giving_the_password_again(browser: AsyncClient, clock: ManualClock, ada: Person) -> None:
    await sign_in(browser, ada)
    clock.advance(timedelta(minutes=5))
    wrong = await browser.post("auth/reauthenticate", json={"password": WRONG})
    assert code_of(wrong) == (403, "wrong_password")
    right = await browser.post("auth/reauthenticate", json={"password": ada.password})
    assert right.json() == {"reauthenticated_at": "2026-01-05T09:05:00Z"}


# -- Profile and sessions --------------------------------------------------------------------------------------------


async def test_a_changed_name_is_recorded(browser: AsyncClient, sessions: SessionFactory, ada: Person) -> None:
    await sign_in(browser, ada)
    answer = await browser.patch("me", json={"display_name": " Countess of Lovelace "})
    assert answer.json()["display_name"] == "Countess of Lovelace"
    async with sessions() as session:
        changes = await session.scalar(text("SELECT changes FROM audits WHERE action = 'update_profile'"))
    assert changes == {"display_name": {"before": "Ada", "after": "Countess of Lovelace"}}


@pytest.mark.parametrize("name", ["", "  ", "a\tb", "x" * 201])
async def test_a_name_that_is_none_is_refused(browser: AsyncClient, ada: Person, name: str) -> None:
    await sign_in(browser, ada)
    assert code_of(await browser.patch("me", json={"display_name": name})) == (422, "invalid_profile")


async def test_one_cannot_promote_oneself(browser: AsyncClient, ada: Person) -> None:
    await sign_in(browser, ada)
    for field in ("is_admin", "roles", "kyc_status", "can_access_trading", "email"):
        answer = await browser.patch("me", json={"display_name": "Ada", field: True})
        assert code_of(answer) == (422, "invalid_request")


async def test_sessions_are_listed_and_revoked(
    browser: AsyncClient, other_browser: AsyncClient, sessions: SessionFactory, clock: ManualClock, ada: Person
) -> None:
    await sign_in(browser, ada)
    clock.advance(timedelta(minutes=1))
    await sign_in(other_browser, ada)
    newest, oldest = (await browser.get("me/sessions")).json()["items"]
    assert (newest["is_current"], oldest["is_current"]) == (False, True)
    assert (newest["ip_address"], newest["user_agent"]) == ("192.0.2.7", "Firefox")
    assert (await browser.delete(f"me/sessions/{newest['id']}")).status_code == 204
    assert (await other_browser.get("me")).status_code == 401
    assert [item["id"] for item in (await browser.get("me/sessions")).json()["items"]] == [oldest["id"]]
    assert code_of(await browser.delete(f"me/sessions/{newest['id']}")) == (404, "session_not_found")
    assert (await actions(sessions, ada))[-1] == "revoke_session"


async def test_sessions_come_in_pages(browser: AsyncClient, other_browser: AsyncClient, ada: Person) -> None:
    await sign_in(browser, ada)
    await sign_in(other_browser, ada)
    first = (await browser.get("me/sessions", params={"limit": 1})).json()
    second = (await browser.get("me/sessions", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [item["is_current"] for item in (*first["items"], *second["items"])] == [False, True]
    assert second["next_cursor"] is None
    for path in ("me/sessions", "me/api-keys"):
        assert code_of(await browser.get(path, params={"cursor": "WyJ4Il0"})) == (422, "invalid_cursor")


async def test_nobody_sees_or_ends_what_is_anothers(
    browser: AsyncClient, other_browser: AsyncClient, ada: Person, ben: Person
) -> None:
    """IDN-7: another's id is answered as one that does not exist; its owner's call goes through."""
    await sign_in(browser, ada)
    await sign_in(other_browser, ben)
    (session,) = (await browser.get("me/sessions")).json()["items"]
    key = (await make_key(browser, "accounts.read"))["api_key"]
    assert len((await other_browser.get("me/sessions")).json()["items"]) == 1
    assert (await other_browser.get("me/api-keys")).json()["items"] == []
    for path, code in ((f"me/sessions/{session['id']}", "session"), (f"me/api-keys/{key['id']}", "api_key")):
        others = await other_browser.delete(path)
        unknown = await other_browser.delete(f"{path.rpartition('/')[0]}/{UUID(int=0)}")
        assert code_of(others) == code_of(unknown) == (404, f"{code}_not_found")
        assert others.json()["detail"] == unknown.json()["detail"]
    assert (await browser.get("me")).status_code == 200
    for path in (f"me/api-keys/{key['id']}", f"me/sessions/{session['id']}"):
        assert (await browser.delete(path)).status_code == 204


# -- API keys --------------------------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_works_within_its_scopes(
    browser: AsyncClient, other_browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    await sign_in(browser, ada)
    made = await make_key(browser, "profile.read")
    assert made["secret"].startswith(made["api_key"]["prefix"])
    program = by_key(made["secret"])
    assert (await other_browser.get("me", headers=program)).json()["user"]["id"] == str(ada.user_id)
    assert (await other_browser.get("me", headers=program)).json()["csrf_token"] is None
    assert code_of(await other_browser.get("me/sessions", headers=program)) == (403, "not_permitted")
    (listed,) = (await browser.get("me/api-keys")).json()["items"]
    assert listed == {**made["api_key"], "last_used_at": "2026-01-05T09:00:00Z"}
    assert (await actions(sessions, ada)) == ["sign_in", "create_api_key"]


async def test_a_key_makes_no_keys_and_ends_no_sessions(
    browser: AsyncClient, other_browser: AsyncClient, ada: Person
) -> None:
    """IDN-8: no scope lets it, and none may be asked for."""
    await sign_in(browser, ada)
    for scope in ("api_keys.manage", "sessions.manage", "profile.manage", "roles.grant", "users.read"):
        answer = await browser.post("me/api-keys", json={"name": "Eve", "scopes": ["profile.read", scope]})
        assert code_of(answer) == (422, "invalid_api_key")
    program = by_key((await make_key(browser, "api_keys.read", "sessions.read"))["secret"])
    (session,) = (await other_browser.get("me/sessions", headers=program)).json()["items"]
    (key,) = (await other_browser.get("me/api-keys", headers=program)).json()["items"]
    for path in (f"me/sessions/{session['id']}", f"me/api-keys/{key['id']}"):
        assert code_of(await other_browser.delete(path, headers=program)) == (403, "not_permitted")
    body = {"name": "Eve", "scopes": ["profile.read"]}
    assert code_of(await other_browser.post("me/api-keys", json=body, headers=program)) == (403, "not_permitted")


async def test_a_revoked_key_opens_nothing(
    browser: AsyncClient, other_browser: AsyncClient, sessions: SessionFactory, ada: Person
) -> None:
    await sign_in(browser, ada)
    made = await make_key(browser, "profile.read")
    path = f"me/api-keys/{made['api_key']['id']}"
    assert (await browser.delete(path)).status_code == 204
    answer = await other_browser.get("me", headers=by_key(made["secret"]))
    assert code_of(answer) == (401, "invalid_credentials")
    assert code_of(await browser.delete(path)) == (404, "api_key_not_found")
    assert (await browser.get("me/api-keys")).json()["items"][0]["revoked_at"] == "2026-01-05T09:00:00Z"
    assert (await actions(sessions, ada))[-1] == "revoke_api_key"


@pytest.mark.parametrize("wanted", [None, "2026-01-06T10:00:00+01:00"])
async def test_a_key_expires(
    browser: AsyncClient, other_browser: AsyncClient, clock: ManualClock, ada: Person, wanted: str | None
) -> None:
    await sign_in(browser, ada)
    program = by_key((await make_key(browser, "profile.read", expires_at=wanted))["secret"])
    clock.advance((timedelta(days=1) if wanted else LIFETIME_DEFAULT) - timedelta(seconds=1))
    assert (await other_browser.get("me", headers=program)).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert (await other_browser.get("me", headers=program)).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"expires_at": "2026-01-05T09:00:00Z"},
        {"expires_at": "2027-01-05T09:00:01Z"},
        {"name": " "},
        {"name": "a\nb"},
    ],
)
async def test_a_key_that_cannot_be_is_refused(browser: AsyncClient, ada: Person, body: dict[str, object]) -> None:
    await sign_in(browser, ada)
    answer = await browser.post("me/api-keys", json={"name": "Key", "scopes": ["profile.read"], **body})
    assert code_of(answer) == (422, "invalid_api_key")


async def test_live_keys_are_limited_in_number(browser: AsyncClient, ada: Person) -> None:
    await sign_in(browser, ada)
    made = [await make_key(browser, "profile.read") for _ in range(LIVE_MAX)]
    body = {"name": "One more", "scopes": ["profile.read"]}
    assert code_of(await browser.post("me/api-keys", json=body)) == (409, "too_many_api_keys")
    await browser.delete(f"me/api-keys/{made[0]['api_key']['id']}")
    assert (await browser.post("me/api-keys", json=body)).status_code == 201
    first = (await browser.get("me/api-keys", params={"limit": LIVE_MAX})).json()
    rest = (await browser.get("me/api-keys", params={"cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in rest["items"]] == [made[0]["api_key"]["id"]]


async def test_a_cookie_is_no_api_key(browser: AsyncClient, other_browser: AsyncClient, ada: Person) -> None:
    await sign_in(browser, ada)
    key = (await make_key(browser, "profile.read"))["secret"]
    answer = await other_browser.get("me", headers=by_key(browser.cookies[SESSION_COOKIE]))
    assert code_of(answer) == (401, "invalid_credentials")
    other_browser.cookies.set(SESSION_COOKIE, key)
    assert (await other_browser.get("me")).status_code == 401


async def test_staff_sign_in_as_staff(browser: AsyncClient, sessions: SessionFactory) -> None:
    auditor = await make_person(sessions, "auditor", is_admin=True)
    async with sessions() as session, session.begin():
        await session.execute(
            text("INSERT INTO user_roles (user_id, role, granted_by, granted_at) VALUES (:id, 'auditor', :by, now())"),
            {"id": auditor.user_id, "by": new_id()},
        )
    assert (await sign_in(browser, auditor))["user"]["roles"] == ["auditor"]
    await make_key(browser, "audits.read")
