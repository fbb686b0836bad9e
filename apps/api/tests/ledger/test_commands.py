"""The commands of a whole day, as processes of their own, and the creation of users."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pwdlib import PasswordHash
from support.journal_lines import HOUSE, as_file, deposit, new_account, topcoin

from topcoin.infra import settings as infra_settings
from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings


@pytest.fixture(autouse=True)
def _on_this_database(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra_settings, "current_settings", lambda: database)


def create(*options: str) -> Any:  # noqa: ANN401 - an outcome
    return topcoin("users", "create", "--name", "Ada", "--json", *options)


def users(database: Settings, columns: str) -> list[tuple[Any, ...]]:
    """Columns of all users but the house, in the order of their creation."""
    query = f"SELECT {columns} FROM users WHERE id <> '{HOUSE}' ORDER BY id"  # noqa: S608 - columns are the tests' own
    with psycopg.connect(database_url(database, Role.APP)) as connection:
        return connection.execute(query.encode()).fetchall()


def test_from_a_user_to_checked_books_as_processes(database: Settings, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TOPCOIN_ENV": "test",
        "TOPCOIN_DATA_DIR": str(tmp_path),
        "TOPCOIN_DATABASE_URL": database_url(database, Role.APP),
        "TOPCOIN_MIGRATION_DATABASE_URL": database_url(database, Role.OWNER),
        "TOPCOIN_READ_DATABASE_URL": database_url(database, Role.READ),
    }

    def run(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)  # noqa: S603 - ours
        assert done.returncode == 0, done.stderr
        return done.stdout

    user = json.loads(run("topcoin", "users", "create", "--email", "ada@example.com", "--name", "Ada", "--json"))
    assert UUID(user["user_id"]) != UUID(user["account_id"])
    journals = as_file(deposit(user["account_id"], "500"))
    assert json.loads(run("topcoin", "ledger", "post", "-", stdin=journals))["status"] == "posted"
    assert json.loads(run("topcoin", "ledger", "post", "-", stdin=journals))["status"] == "duplicate"
    books = tmp_path / "books.beancount"
    run("topcoin", "ledger", "export", "--format", "beancount", "--out", str(books))
    assert run("topcoin", "ledger", "export", "--format", "beancount", "--out", "-") == books.read_bytes()
    assert run("bean-check", "--no-cache", str(books)) == b""


def test_a_customer_has_an_account_and_no_password(database: Settings) -> None:
    created = create("--email", " Ada@Example.com ", "--country", "de").lines[0]
    assert users(database, "id, email, display_name, hashed_password, is_admin, country") == [
        (UUID(created["user_id"]), "Ada@Example.com", "Ada", "!", False, "DE")
    ]
    with psycopg.connect(database_url(database, Role.READ)) as connection:
        accounts = connection.execute("SELECT user_id FROM accounts WHERE id = %s", [created["account_id"]]).fetchall()
    assert accounts == [(UUID(created["user_id"]),)]


def test_staff_have_no_account(database: Settings) -> None:
    assert create("--email", "ada@example.com", "--staff", "treasury").lines[0]["account_id"] is None
    assert users(database, "is_admin") == [(True,)]
    with psycopg.connect(database_url(database, Role.READ)) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (1,)


def test_a_password_is_kept_as_argon2id(database: Settings, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes("pässword 1 \r\n".encode())
    assert create("--email", "ada@example.com", "--password-file", str(file)).status == 0
    [(hashed,)] = users(database, "hashed_password")
    assert hashed.startswith("$argon2id$")
    assert PasswordHash.recommended().verify("pässword 1 ", hashed)


def test_many_users_are_created_at_once(database: Settings) -> None:
    created = create("--email", "ada@example.com", "--count", "12").lines
    assert [each["email"] for each in created] == [f"ada+{number}@example.com" for number in range(1, 13)]
    assert [str(user_id) for (user_id,) in users(database, "id")] == [each["user_id"] for each in created]
    assert len({each["account_id"] for each in created}) == 12


def test_of_many_users_all_are_created_or_none(database: Settings) -> None:
    new_account("ADA+3@example.com")
    outcome = create("--email", "ada@example.com", "--count", "5")
    assert (outcome.status, outcome.lines[0]["error"]["code"]) == (1, "email_taken")
    assert users(database, "email") == [("ADA+3@example.com",)]


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.com"])
def test_an_address_is_taken_in_any_case(email: str) -> None:
    new_account("Ada@example.com")
    outcome = create("--email", email)
    assert (outcome.status, outcome.lines[0]["error"]["code"]) == (1, "email_taken")


@pytest.mark.parametrize(
    "email", ["ada+tag@sub.example.co", "rené@exämple.com", "o'neil_1@example.museum", "a@topcoin.local"]
)
def test_addresses_that_are_used_are_accepted(email: str) -> None:
    assert create("--email", email).status == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        *(
            (("--email", email), "invalid_email")
            for email in (
                *("", "ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "a@b@example.com"),
                *("a da@example.com", "ada@exa mple.com", ".ada@example.com", "ada.@example.com", "a..da@example.com"),
                *("ada@-example.com", "ada@example-.com", "ada@example..com", "ada@example.com.", "ada@127.0.0.1"),
                *(
                    "ada\x00@example.com",
                    "ada@example.com\nBcc: x@example.com",
                    "<ada@example.com>",
                    "a\u200bda@example.com",
                ),
                *("a" * 65 + "@example.com", "a@" + "b" * 64 + ".com", "a@" + "b." * 130 + "com"),
            )
        ),
        (("--email", "ada@example.com", "--country", "DEU"), "invalid_profile"),
        (("--email", "ada@example.com", "--name", " "), "invalid_profile"),
        (("--email", "ada@example.com", "--name", "A\x00"), "invalid_profile"),
        (("--email", "ada@example.com", "--name", "A\u202eB"), "invalid_profile"),
        (("--email", "ada@example.com", "--name", "A" * 201), "invalid_profile"),
        (("--email", "ada@example.com", "--password-file", "/missing"), "password_file_unreadable"),
        (("--email", "ada@example.com", "--password-file", "/dev/null"), "invalid_password"),
    ],
)
def test_what_no_user_can_be(database: Settings, options: tuple[str, ...], code: str) -> None:
    outcome = create(*options)
    assert (outcome.status, outcome.lines[0]["error"]["code"]) == (1, code)
    assert users(database, "id") == []


def test_an_unknown_staff_role_is_refused() -> None:
    assert create("--email", "ada@example.com", "--staff", "king").status == 2
