"""The pure parts of the frame: access, statuses, JSON, keys, documents, credentials."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pydantic import ValidationError
from starlette.requests import Request

from topcoin.http.authentication import SESSION_COOKIE, Credentials, actor_of, read_credentials
from topcoin.http.errors import (
    AmbiguousCredentials,
    IdempotencyKeyRequired,
    InvalidCredentials,
    InvalidIdempotencyKey,
    codes_of,
    status_of,
)
from topcoin.http.idempotency.domain import input_hash, read_key
from topcoin.http.json_bodies import BIGINT_MAX, read_json
from topcoin.http.request_ids import name_request, request_id_of
from topcoin.http.routing import Router
from topcoin.http.schemas import Amount, Instant, PageOf, Schema
from topcoin.kernel.access import (
    CUSTOMER_PERMISSIONS,
    NEVER_BY_KEY,
    ROLE_PERMISSIONS,
    Access,
    Actor,
    ActorKind,
    NotPermitted,
    NotSignedIn,
    Permission,
    StaffRole,
    customers,
    public,
    signed_in,
    staff,
)
from topcoin.kernel.errors import Conflict, Forbidden, Invalid, NotFound, RuleBroken, TopCoinError, Unavailable
from topcoin.kernel.ids import new_id
from topcoin.kernel.pages import Page
from topcoin.ledger.errors import InsufficientFunds, PostingRefused


def request_with(*headers: tuple[str, str]) -> Request:
    """A request with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw, "client": None})


# -- Access ----------------------------------------------------------------------------------------------------------


def test_an_auditor_changes_nothing_but_what_is_their_own() -> None:
    own = set.intersection(*(set(permitted) for permitted in ROLE_PERMISSIONS.values()))
    auditor = ROLE_PERMISSIONS[StaffRole.AUDITOR]
    assert {each for each in Permission if each.only_reads} <= auditor
    assert {each for each in auditor if not each.only_reads} <= own


def test_every_role_has_its_permissions_and_several_add_up() -> None:
    assert set(ROLE_PERMISSIONS) == set(StaffRole)
    roles = frozenset({StaffRole.PLAN_MANAGER, StaffRole.COMPLIANCE})
    actor = Actor(ActorKind.STAFF, user_id=new_id(), roles=roles)
    assert actor.permissions == ROLE_PERMISSIONS[StaffRole.PLAN_MANAGER] | ROLE_PERMISSIONS[StaffRole.COMPLIANCE]


def test_who_has_not_signed_in_is_permitted_nothing() -> None:
    assert Actor(ActorKind.PUBLIC).permissions == frozenset()
    assert Actor(ActorKind.CUSTOMER).permissions == frozenset()


def test_a_key_has_its_scopes_and_no_more_than_its_owner() -> None:
    scopes = frozenset({Permission.ACCOUNTS_READ, Permission.AUDITS_READ})
    key = Actor(ActorKind.CUSTOMER, user_id=new_id(), api_key_id=new_id(), scopes=scopes)
    assert key.permissions == {Permission.ACCOUNTS_READ}
    with pytest.raises(NotPermitted, match=r"scope ledger\.read"):
        key.require(Permission.LEDGER_READ)
    key.require(Permission.ACCOUNTS_READ)


def test_a_key_makes_no_keys_whatever_its_scopes() -> None:
    owner = Actor(ActorKind.CUSTOMER, user_id=new_id())
    key = Actor(ActorKind.CUSTOMER, user_id=owner.user_id, api_key_id=new_id(), scopes=frozenset(Permission))
    assert key.permissions == CUSTOMER_PERMISSIONS - NEVER_BY_KEY
    assert Permission.API_KEYS_MANAGE in owner.permissions - key.permissions


@pytest.mark.parametrize(
    ("actors", "permission", "idempotent"),
    [
        (set[ActorKind](), None, False),
        ({ActorKind.CUSTOMER}, None, False),
        ({ActorKind.PUBLIC}, Permission.MARKET_READ, False),
        ({ActorKind.PUBLIC, ActorKind.CUSTOMER}, Permission.MARKET_READ, False),
        ({ActorKind.PROVIDER}, None, True),
    ],
)
def test_an_access_that_contradicts_itself_is_refused(
    actors: set[ActorKind],
    permission: Permission | None,
    idempotent: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    with pytest.raises(ValueError, match="access"):
        Access(actors=frozenset(actors), permission=permission, idempotent=idempotent)


@pytest.mark.parametrize(
    ("method", "access", "said"),
    [
        ("get", customers(Permission.ACCOUNTS_READ, idempotent=True), "needs no idempotency key"),
        ("get", customers(Permission.PROFILE_MANAGE), "one to change things"),
        ("post", customers(Permission.ACCOUNTS_READ), "one to read"),
        ("delete", staff(Permission.ROLES_GRANT), "audit action"),
        ("patch", signed_in(Permission.PROFILE_MANAGE), "audit action"),
    ],
)
def test_a_route_against_the_rules_of_the_house_cannot_be_made(method: str, access: Access, said: str) -> None:
    async def act() -> None: ...

    with pytest.raises(ValueError, match=said):
        getattr(Router(), method)("/x", access=access, errors=[])(act)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_a_route_without_access_or_errors_cannot_be_made(method: str) -> None:
    add = getattr(Router(), method)
    with pytest.raises(TypeError, match="access"):
        add("/x", errors=[])
    with pytest.raises(TypeError, match="errors"):
        add("/x", access=public())


# -- Statuses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        *((NotFound, 404), (Conflict, 409), (Forbidden, 403), (Invalid, 422), (RuleBroken, 409), (Unavailable, 503)),
        *((InsufficientFunds, 409), (NotSignedIn, 401), (InvalidCredentials, 401), (TopCoinError, 500)),
    ],
)
def test_an_error_has_the_status_of_its_nearest_kind(kind: type[TopCoinError], status: int) -> None:
    assert status_of(kind) == status


def test_an_error_that_is_declared_declares_those_that_descend_from_it() -> None:
    assert {"posting_refused", "insufficient_funds", "not_covered"} <= codes_of(PostingRefused)


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_json_is_read_exactly() -> None:
    assert read_json(b'{"a": 0.1, "b": [-9223372036854775808, "\\u00e9\\\\u0000"]}') == {
        "a": Decimal("0.1"),
        "b": [-(2**63), "é\\u0000"],
    }
    assert read_json(str(BIGINT_MAX).encode()) == BIGINT_MAX


@pytest.mark.parametrize(
    "body",
    [
        b'"\\u0000"',
        b'{"\\u0000": 1}',
        b'[{"a": ["\\ud800"]}]',
        b"10000000000000000000",
        b"-9223372036854775809",
        b"9" * 5000,
        b"0." + b"1" * 100,
        b"NaN",
        b"-Infinity",
        b'"\xff"',
        b"[" * 100_000,
        b"{",
        b"",
    ],
)
def test_what_cannot_be_kept_is_refused(body: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        read_json(body)


# -- Documents -------------------------------------------------------------------------------------------------------


class Sample(Schema):
    """A document."""

    amount: Amount
    at: Instant


def sample(amount: object = "1", at: object = "2026-01-05T09:00:00Z") -> Sample:
    """A document as read from JSON."""
    return Sample.model_validate({"amount": amount, "at": at})


def test_documents_are_written_in_one_way() -> None:
    plus_two = timezone(timedelta(hours=2))
    for amount, written in (
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("1E+3"), "1000.00000000"),
        ("-0.5", "-0.50000000"),
    ):
        document = sample(amount, datetime(2026, 1, 5, 11, 0, 0, 500_000, tzinfo=plus_two))
        assert json.loads(document.model_dump_json()) == {"amount": written, "at": "2026-01-05T09:00:00.500000Z"}
    assert document.at == datetime(2026, 1, 5, 9, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "amount", ["1e3", "NaN", "Infinity", "", "1_000", " 1", "0.000000001", "1" * 21, "٣", True, "0" * 65]
)
def test_an_amount_is_a_plain_decimal_that_fits(amount: object) -> None:
    with pytest.raises(ValidationError):
        sample(amount=amount)


@pytest.mark.parametrize("at", ["2026-01-05T09:00:00", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_time_has_its_zone(at: str) -> None:
    with pytest.raises(ValidationError):
        sample(at=at)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="amunt"):
        Sample.model_validate({"amount": "1", "at": "2026-01-05T09:00:00Z", "amunt": "2"})


def test_a_page_is_shown_with_its_cursor() -> None:
    page = PageOf[Sample].of(Page([Decimal(1)], "next"), sample)
    assert json.loads(page.model_dump_json()) == {
        "items": [{"amount": "1.00000000", "at": "2026-01-05T09:00:00Z"}],
        "next_cursor": "next",
    }


# -- Headers ---------------------------------------------------------------------------------------------------------


def test_a_sane_request_id_is_kept_and_any_other_replaced() -> None:
    kept = request_with(("X-Request-ID", "deploy-42.retry_1")).scope
    assert name_request(kept) == request_id_of(kept) == "deploy-42.retry_1"
    for sent in ("short", "x" * 65, 'in"jection', "line\nfeed!", "ünïcödé-id"):
        scope = request_with(("X-Request-ID", sent)).scope
        assert name_request(scope) == request_id_of(scope) != sent


def test_credentials_are_a_cookie_or_a_key() -> None:
    assert read_credentials(request_with()) == Credentials()
    assert read_credentials(request_with(("Cookie", f"a=b; {SESSION_COOKIE}=t0ken"))) == Credentials("t0ken")
    assert read_credentials(request_with(("Authorization", "bearer k3y"))) == Credentials(api_key="k3y")
    assert not read_credentials(request_with(("Cookie", f"{SESSION_COOKIE}="))).is_present


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "Bearer ä", f"Bearer {'x' * 513}"])
def test_a_malformed_key_is_refused(header: str) -> None:
    with pytest.raises(InvalidCredentials):
        read_credentials(request_with(("Authorization", header)))


def test_two_credentials_are_refused() -> None:
    with pytest.raises(AmbiguousCredentials):
        read_credentials(request_with(("Authorization", "Bearer k"), ("Cookie", f"{SESSION_COOKIE}=t")))


def test_a_user_agent_is_kept_as_far_as_it_can_be_stored() -> None:
    agent = actor_of(request_with(("User-Agent", "a\x00b\x07" + "c" * 600)), None, "id").user_agent
    assert agent is not None
    assert (agent[:3], len(agent)) == ("abc", 512)


def test_an_idempotency_key_is_one_visible_word() -> None:
    assert read_key(["a" * 255]) == "a" * 255
    with pytest.raises(IdempotencyKeyRequired):
        read_key([])
    for sent in (["a", "a"], [""], ["a" * 256], ["a b"], ["ä"], ["a\x00"], ["a\n"]):
        with pytest.raises(InvalidIdempotencyKey):
            read_key(sent)


def test_requests_that_differ_have_other_hashes() -> None:
    """HTT-2. Parts that run together differently are different requests too."""
    requests = [
        ("POST", "/a", b"", b""),
        ("PUT", "/a", b"", b""),
        ("POST", "/ab", b"", b""),
        ("POST", "/a", b"b", b""),
        ("POST", "/a", b"", b"b"),
        ("POST", "/", b"a", b""),
    ]
    assert len({input_hash(*each) for each in requests}) == len(requests)
    assert input_hash(*requests[0]) == input_hash(*requests[0])
