from dataclasses import replace
from datetime import timedelta

import pytest
from support.factories import NOW

from topcoin.identity.domain import KycStatus, User
from topcoin.identity.sessions.domain import ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, UserSession
from topcoin.identity.tokens.domain import API_KEY_PREFIX, csrf_token, new_token, shown_prefix, token_hash
from topcoin.kernel.access import ActorKind, StaffRole
from topcoin.kernel.ids import new_id

USER = User(
    id=new_id(),
    email="ada@example.com",
    display_name="Ada",
    kyc_status=KycStatus.NOT_SUBMITTED,
    can_access_trading=False,
    is_active=True,
    is_banned=False,
    banned_reason=None,
    last_login_at=None,
    country=None,
    created_at=NOW,
    roles=frozenset(),
)

SESSION = UserSession(
    user_id=USER.id,
    id=new_id(),
    created_at=NOW,
    last_seen_at=NOW,
    reauthenticated_at=NOW,
    expires_at=NOW + ABSOLUTE_TIMEOUT,
    revoked_at=None,
    ip_address=None,
    user_agent=None,
)

INSTANT = timedelta(microseconds=1)


def test_a_session_lasts_until_it_is_unused_too_long() -> None:
    assert SESSION.is_live(NOW + IDLE_TIMEOUT - INSTANT)
    assert not SESSION.is_live(NOW + IDLE_TIMEOUT)


def test_a_session_in_use_lasts_until_its_end() -> None:
    used = replace(SESSION, last_seen_at=SESSION.expires_at - INSTANT)
    assert used.is_live(SESSION.expires_at - INSTANT)
    assert not used.is_live(SESSION.expires_at)


def test_a_revoked_session_is_over() -> None:
    assert not replace(SESSION, revoked_at=NOW).is_live(NOW)


@pytest.mark.parametrize(
    ("is_active", "is_banned", "may_enter"),
    [(True, False, True), (False, False, False), (True, True, True), (False, True, False)],
)
def test_who_may_enter(*, is_active: bool, is_banned: bool, may_enter: bool) -> None:
    """IDN-5."""
    assert replace(USER, is_active=is_active, is_banned=is_banned).may_enter is may_enter


def test_banned_staff_may_not_enter() -> None:
    """IDN-5."""
    staff = replace(USER, roles=frozenset({StaffRole.SUPPORT}))
    assert staff.may_enter
    assert not replace(staff, is_banned=True).may_enter


def test_who_has_a_role_is_staff() -> None:
    assert USER.kind is ActorKind.CUSTOMER
    assert replace(USER, roles=frozenset({StaffRole.AUDITOR})).kind is ActorKind.STAFF


def test_tokens_are_long_and_never_the_same() -> None:
    """256 bits are 43 letters of base 64."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}
    assert all(token.isascii() and token.replace("-", "").replace("_", "").isalnum() for token in tokens)


def test_a_key_shows_how_it_begins_and_keeps_the_rest() -> None:
    key = new_token(API_KEY_PREFIX)
    assert key.startswith(shown_prefix(key))
    assert len(key) - len(shown_prefix(key)) == 35


def test_a_csrf_token_follows_from_its_session_alone() -> None:
    one, other = new_token(), new_token()
    assert csrf_token(one) == csrf_token(one) != csrf_token(other)
    assert token_hash(one) != token_hash(csrf_token(one))
    assert one not in csrf_token(one)
