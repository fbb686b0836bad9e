from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from uuid import UUID

import pytest

from topcoin.audit.domain import (
    FIRST_PREVIOUS_HASH,
    HOUSE_USER_ID,
    REDACTED,
    Action,
    AuditRow,
    canonical_json,
    canonical_row,
    canonical_stored_json,
    chain_hash,
    checked_reason,
    diff,
    is_secret,
    plain,
    recordable_changes,
    storable_address,
)
from topcoin.audit.errors import ReasonRequired, Unrecordable
from topcoin.ledger.chart.domain import HOUSE_ID

BAN = Action("ban_user", sensitive=True)

ROW = AuditRow(
    user_id=UUID("019b0000-0000-7000-8000-000000000001"),
    id=UUID("019b0000-0000-7000-8000-000000000002"),
    sequence=1,
    actor=UUID("019b0000-0000-7000-8000-000000000003"),
    action="ban_user",
    object_type="user",
    object_id="019b0000-0000-7000-8000-000000000001",
    changes='{"is_banned":{"after":true,"before":false}}',
    reason="Fraud ✓",
    ip_address="2001:db8::1",
    user_agent=None,
    request_id="r-12345678",
    session_id=None,
    metadata="{}",
    created_at=datetime(2026, 1, 5, 10, 0, tzinfo=timezone(timedelta(hours=1))),
    previous_hash=FIRST_PREVIOUS_HASH,
    entry_hash=b"",
)


class Colour(StrEnum):
    """Any enum."""

    RED = "red"


def test_a_row_has_the_canonical_form_that_is_documented() -> None:
    """AUD-4, written out by hand."""
    assert canonical_row(ROW).decode() == (
        '["topcoin/audit/1","019b0000-0000-7000-8000-000000000001","019b0000-0000-7000-8000-000000000002","1",'
        '"019b0000-0000-7000-8000-000000000003","ban_user","user","019b0000-0000-7000-8000-000000000001",'
        '"{\\"is_banned\\":{\\"after\\":true,\\"before\\":false}}","Fraud ✓","2001:db8::1",null,'
        '"r-12345678",null,"{}","2026-01-05T09:00:00.000000Z"]'
    )


def test_every_column_is_in_the_hash() -> None:
    """AUD-4."""
    other = {
        **dict.fromkeys(("user_id", "id", "actor", "session_id"), UUID(int=7)),
        **dict.fromkeys(("action", "object_type", "object_id", "reason", "ip_address"), "other"),
        **dict.fromkeys(("changes", "metadata", "user_agent", "request_id"), '{"a":1}'),
        "sequence": 2,
        "created_at": ROW.created_at + timedelta(microseconds=1),
        "previous_hash": b"\1" * 32,
    }
    assert set(other) == set(AuditRow._fields) - {"entry_hash"}
    hashes = {chain_hash(ROW._replace(**{name: value})) for name, value in other.items()}
    assert len(hashes | {chain_hash(ROW)}) == len(other) + 1


def test_text_cannot_move_from_one_column_into_the_next() -> None:
    assert chain_hash(ROW._replace(object_type="ab", object_id="c")) != chain_hash(
        ROW._replace(object_type="a", object_id="bc")
    )


def test_a_diff_tells_what_changed_and_nothing_else() -> None:
    assert diff({"a": 1, "b": 2, "gone": "x"}, {"a": 1, "b": 3, "new": "y"}) == {
        "b": {"before": 2, "after": 3},
        "gone": {"before": "x", "after": None},
        "new": {"before": None, "after": "y"},
    }


def test_one_amount_written_in_two_ways_is_no_change() -> None:
    assert diff({"amount": Decimal("1.0")}, {"amount": Decimal("1.00")}) == {}


def test_true_is_not_one() -> None:
    assert diff({"flag": True}, {"flag": 1}) == {"flag": {"before": True, "after": 1}}


def test_values_become_plain_and_exact() -> None:
    assert plain(
        {
            "amount": Decimal("0.10000000"),
            "tiny": Decimal("1E-8"),
            "at": datetime(2026, 1, 5, 9, tzinfo=UTC),
            "born": date(2000, 2, 29),
            "id": UUID(int=1),
            "colours": {Colour.RED},
            "address": ip_address("192.0.2.1"),
            "nested": [{"x": None}, (True, 2)],
        }
    ) == {
        "amount": "0.10000000",
        "tiny": "0.00000001",
        "at": "2026-01-05T09:00:00.000000Z",
        "born": "2000-02-29",
        "id": "00000000-0000-0000-0000-000000000001",
        "colours": ["red"],
        "address": "192.0.2.1",
        "nested": [{"x": None}, [True, 2]],
    }


@pytest.mark.parametrize(
    "value",
    [1.5, b"bytes", 2**53, Decimal("NaN"), datetime(2026, 1, 5, 9), "a\x00b", {"a\x00": 1}, {1: 2}, object()],  # noqa: DTZ001 - the zone is missing on purpose
)
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(Unrecordable):
        plain(value)


def test_text_that_no_utf_8_can_hold_is_refused() -> None:
    with pytest.raises(Unrecordable):
        canonical_json({"name": "\ud800"})


@pytest.mark.parametrize(
    "name",
    [
        *("password", "hashed_password", "newPassword", "token", "token_hash", "refresh_tokens", "csrf_token", "hash"),
        *("totp_secret", "api_key", "apiKey", "API_KEY", "recovery_codes", "Authorization", "session_cookie", "pin"),
    ],
)
def test_secrets_are_known_by_name(name: str) -> None:
    """AUD-3."""
    assert is_secret(name)
    assert plain({"outer": [{name: "hunter2"}]}) == {"outer": [{name: REDACTED}]}
    assert plain({name: {"inner": ["hunter2"]}}) == {name: REDACTED}


@pytest.mark.parametrize(
    "name",
    [
        *("email", "api_key_id", "password_changed_at", "transaction_hash", "pinned", "reason", "monkey", "keys"),
        *("is_active", "", "spending_limit", "payout_address"),
    ],
)
def test_what_is_no_secret_is_told(name: str) -> None:
    assert plain({name: "value"}) == {name: "value"}


def test_of_a_secret_it_is_told_that_it_changed() -> None:
    """AUD-3."""
    assert diff({"hashed_password": "old"}, {"hashed_password": "new"}) == {
        "hashed_password": {"before": REDACTED, "after": REDACTED}
    }
    assert diff({"totp_secret": None}, {"totp_secret": "new"}) == {"totp_secret": {"before": None, "after": REDACTED}}
    assert diff({"totp_secret": "same"}, {"totp_secret": "same"}) == {}


def test_the_hash_of_a_password_is_known_by_its_form() -> None:
    """AUD-3, under whatever name."""
    assert plain({"note": "was $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"}) == {"note": REDACTED}


def test_changes_written_down_by_hand_are_redacted_too() -> None:
    """AUD-3."""
    assert recordable_changes({"password": {"before": None, "after": "hunter2"}, "name": {"after": "Ada"}}) == {
        "password": {"before": None, "after": REDACTED},
        "name": {"before": None, "after": "Ada"},
    }


@pytest.mark.parametrize("reason", [None, "", "  \n"])
def test_a_sensitive_action_needs_a_reason(reason: str | None) -> None:
    with pytest.raises(ReasonRequired):
        checked_reason(BAN, reason)
    assert checked_reason(Action("sign_in"), reason) is None


def test_a_reason_is_kept_without_the_space_around_it() -> None:
    assert checked_reason(BAN, " Fraud ") == "Fraud"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", "None"),
        ("", "None"),
        (None, "None"),
    ],
)
def test_an_address_has_one_form(text: str | None, stored: str) -> None:
    assert str(storable_address(text)) == stored


@pytest.mark.parametrize("text", ['{"a": 1.0}', '{"a": NaN}', '{"a": 1e3}', '{"a": 9007199254740993}', "{"])
def test_stored_json_that_was_never_recorded_has_no_form(text: str) -> None:
    with pytest.raises(Unrecordable):
        canonical_stored_json(text)


def test_stored_json_has_the_form_it_was_recorded_in() -> None:
    value = {"b": {"before": None, "after": "ä\n"}, "a": [1, True]}
    assert canonical_stored_json('{"a": [1, true], "b": {"after": "\\u00e4\\n", "before": null}}') == canonical_json(
        value
    )


def test_the_house_is_the_ledgers() -> None:
    assert HOUSE_USER_ID == HOUSE_ID
