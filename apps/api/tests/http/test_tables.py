"""Each rule of idempotency keys that a row alone can break, refused beside the same row accepted."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, UniqueViolation
from support.factories import NOW, insert_now, user_row

from topcoin.kernel.ids import new_id


def key_row(**changes: object) -> dict[str, Any]:
    """A key whose command was carried out."""
    return {
        "key": "k1",
        "input_hash": bytes(32),
        "status_code": 201,
        "answer_headers": {},
        "answer_body": b"{}",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=1),
        **changes,
    }


@pytest.fixture
def user(owner_connection: psycopg.Connection) -> dict[str, Any]:
    row = user_row()
    insert_now(owner_connection, "users", row)
    return {"user_id": row["id"]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status_code": None, "answer_headers": None, "answer_body": None},
        {"key": "!" + "~" * 254},
        {"status_code": 399},
        {"answer_body": b""},
    ],
)
def test_what_is_kept(owner_connection: psycopg.Connection, user: dict[str, Any], changes: dict[str, Any]) -> None:
    insert_now(owner_connection, "idempotency_keys", key_row(**changes, **user))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"key": ""}, "key_form"),
        ({"key": "a b"}, "key_form"),
        ({"key": "a\nb"}, "key_form"),
        ({"key": "é"}, "key_form"),
        ({"key": "k" * 256}, "key_form"),
        ({"input_hash": bytes(31)}, "input_hash_length"),
        ({"status_code": 199}, "answer_is_success"),
        ({"status_code": 400}, "answer_is_success"),
        ({"answer_body": None}, "answer_whole"),
        ({"status_code": None}, "answer_whole"),
        ({"answer_headers": []}, "answer_headers_object"),
        ({"expires_at": NOW}, "expires_after_creation"),
    ],
)
def test_what_is_refused(
    owner_connection: psycopg.Connection, user: dict[str, Any], changes: dict[str, Any], rule: str
) -> None:
    with pytest.raises(CheckViolation) as refused:
        insert_now(owner_connection, "idempotency_keys", key_row(**changes, **user))
    assert refused.value.diag.constraint_name == f"ck_idempotency_keys_{rule}"


def test_a_user_has_a_key_once(owner_connection: psycopg.Connection, user: dict[str, Any]) -> None:
    insert_now(owner_connection, "idempotency_keys", key_row(**user))
    with pytest.raises(UniqueViolation):
        insert_now(owner_connection, "idempotency_keys", key_row(**user))


def test_a_key_is_a_users(owner_connection: psycopg.Connection) -> None:
    with pytest.raises(ForeignKeyViolation):
        insert_now(owner_connection, "idempotency_keys", key_row(user_id=new_id()))
