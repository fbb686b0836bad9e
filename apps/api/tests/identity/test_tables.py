from datetime import date, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, Row, insert, make_user, user_row
from support.rules import check_rules

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id


def reviewed_row(status: str, **changes: object) -> Row:
    """A customer whose identification a staff member has looked at."""
    return user_row(
        **{
            "kyc_status": status,
            "kyc_submitted_at": NOW,
            "kyc_reviewed_at": NOW,
            "kyc_reviewed_by": new_id(),
            **changes,
        }
    )


async def test_every_rule_of_users_refuses_what_breaks_it(session: AsyncSession) -> None:
    """IDN-2 by the rules about KYC, IDN-3 by those about reasons."""
    user_id = new_id()
    approved = reviewed_row("approved")
    await check_rules(
        session,
        "users",
        {
            "email_form": [
                (user_row(), {"email": address})
                for address in ("ada", "@example.com", "ada@", "a da@example.com", "a@b@c", f"{'a' * 250}@b.cd")
            ],
            "hashed_password_not_blank": [(user_row(), {"hashed_password": " "})],
            "display_name_not_blank": [(user_row(), {"display_name": ""})],
            "kyc_status_known": [
                (approved, {"kyc_status": "perhaps", "kyc_reviewed_at": None, "kyc_reviewed_by": None})
            ],
            "kyc_submitted": [
                (user_row(), {"kyc_status": "auto_approved"}),
                (user_row(), {"kyc_submitted_at": NOW}),
            ],
            "kyc_reviewed": [
                (approved, {"kyc_reviewed_at": None, "kyc_reviewed_by": None}),
                (approved, {"kyc_status": "under_review"}),
            ],
            "kyc_reviewer_named": [(approved, {"kyc_reviewed_by": None})],
            "kyc_reviewed_after_submitted": [(approved, {"kyc_reviewed_at": NOW - timedelta(seconds=1)})],
            "kyc_not_reviewed_by_self": [({**approved, "id": user_id}, {"kyc_reviewed_by": user_id})],
            "kyc_refused_has_reason": [
                (reviewed_row(status, kyc_reason="The document has expired"), {"kyc_reason": reason})
                for status in ("rejected", "revoked")
                for reason in (None, " ")
            ],
            "banned_has_reason": [
                (user_row(is_banned=True, banned_reason="Fraud"), {"banned_reason": reason}) for reason in (None, " ")
            ],
            "country_form": [(user_row(country="DE"), {"country": value}) for value in ("de", "DEU", "")],
            "date_of_birth_possible": [
                (user_row(date_of_birth=date(1900, 1, 1)), {"date_of_birth": date(1899, 12, 31)})
            ],
        },
    )


async def claimed(session: AsyncSession) -> set[str]:
    """The addresses claimed by anybody but the house."""
    found = await session.execute(text("SELECT email FROM user_email_claims WHERE email NOT LIKE 'house@%'"))
    return set(found.scalars())


@pytest.mark.parametrize("spelling", ["ada@example.com", "ADA@Example.com", "Ada@EXAMPLE.COM"])
async def test_an_email_is_taken_in_whatever_case(session: AsyncSession, spelling: str) -> None:
    """IDN-1."""
    await make_user(session, email="Ada@Example.com")
    with pytest.raises(IntegrityError, match="pk_user_email_claims"):
        await make_user(session, email=spelling)


async def test_an_email_is_taken_in_whatever_unicode_form(session: AsyncSession) -> None:
    """IDN-1."""
    await make_user(session, email="rené@example.com")
    with pytest.raises(IntegrityError, match="pk_user_email_claims"):
        await make_user(session, email="rene\u0301@example.com")


async def test_a_changed_email_frees_the_old_one_and_takes_the_new(session: AsyncSession) -> None:
    ada = await make_user(session, email="ada@example.com")
    await make_user(session, email="bob@example.com")
    change = text("UPDATE users SET email = :email WHERE id = :id")
    with pytest.raises(IntegrityError, match="pk_user_email_claims"):
        async with session.begin_nested():
            await session.execute(change, {"email": "BOB@example.com", "id": ada})
    await session.execute(change, {"email": "countess@example.com", "id": ada})
    assert await claimed(session) == {"countess@example.com", "bob@example.com"}
    await make_user(session, email="ada@example.com")


async def test_an_email_may_change_its_case(session: AsyncSession) -> None:
    ada = await make_user(session, email="ada@example.com")
    await session.execute(text("UPDATE users SET email = 'Ada@Example.com' WHERE id = :id"), {"id": ada})
    assert await claimed(session) == {"ada@example.com"}


def test_a_deleted_user_frees_the_email(owner_connection: psycopg.Connection) -> None:
    user_id = new_id()
    insert = "INSERT INTO users (id, email, hashed_password, display_name) VALUES (%s, 'ada@example.com', '!', 'Ada')"
    owner_connection.execute(insert, [user_id])
    owner_connection.execute("DELETE FROM users WHERE id = %s", [user_id])
    owner_connection.execute(insert, [new_id()])


def test_no_users_no_claims(owner_connection: psycopg.Connection) -> None:
    owner_connection.execute("SET LOCAL lock_timeout = '20s'")
    owner_connection.execute("DELETE FROM accounts")
    owner_connection.execute("DELETE FROM users")
    found = owner_connection.execute("SELECT count(*) FROM user_email_claims").fetchone()
    assert found == (0,)


async def test_the_house_cannot_sign_in(session: AsyncSession) -> None:
    house = (
        await session.execute(
            text(
                "SELECT email, hashed_password, is_active, can_access_trading, is_admin FROM users"
                " WHERE id = '00000000-0000-7000-8000-000000000001'"
            )
        )
    ).one()
    assert tuple(house) == ("house@topcoin.invalid", "!", False, False, False)


async def test_the_application_cannot_touch_claims(session: AsyncSession) -> None:
    for statement in (
        "INSERT INTO user_email_claims (email, user_id) VALUES ('a@b.c', gen_random_uuid())",
        "UPDATE user_email_claims SET user_id = gen_random_uuid()",
        "DELETE FROM user_email_claims",
    ):
        with pytest.raises(Exception, match="permission denied") as refused:
            async with session.begin_nested():
                await session.execute(text(statement))
        assert isinstance(getattr(refused.value, "orig", None), errors.InsufficientPrivilege)


def session_row(user_id: UUID, **changes: object) -> Row:
    """A sign-in."""
    return {
        "user_id": user_id,
        "id": new_id(),
        "token_hash": bytes(32),
        "created_at": NOW,
        "last_seen_at": NOW,
        "reauthenticated_at": NOW,
        "expires_at": NOW + timedelta(hours=12),
        **changes,
    }


def api_key_row(user_id: UUID, **changes: object) -> Row:
    """An API key."""
    return {
        "user_id": user_id,
        "id": new_id(),
        "token_hash": bytes(32),
        "name": "Bookkeeping",
        "prefix": "tck_12345678",
        "scopes": "{ledger.read}",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=90),
        **changes,
    }


async def test_every_rule_of_sessions_refuses_what_breaks_it(session: AsyncSession) -> None:
    row = session_row(await make_user(session))
    await check_rules(
        session,
        "user_sessions",
        {
            "token_hash_length": [(row, {"token_hash": b"short"})],
            "expires_after_creation": [
                (row, {"created_at": NOW, "last_seen_at": NOW, "expires_at": NOW}),
            ],
            "seen_before_expiry": [
                (row, {"last_seen_at": NOW - timedelta(seconds=1)}),
                (row, {"last_seen_at": NOW + timedelta(hours=13)}),
            ],
        },
    )


async def test_every_rule_of_api_keys_refuses_what_breaks_it(session: AsyncSession) -> None:
    row = api_key_row(await make_user(session))
    await check_rules(
        session,
        "api_keys",
        {
            "token_hash_length": [(row, {"token_hash": b"short"})],
            "name_not_blank": [(row, {"name": " "})],
            "prefix_not_blank": [(row, {"prefix": ""})],
            "scopes_named": [(row, {"scopes": "{}"}), (row, {"scopes": "{NULL}"})],
            "expires_after_creation": [(row, {"expires_at": NOW})],
        },
    )


async def test_every_rule_of_roles_refuses_what_breaks_it(session: AsyncSession) -> None:
    """IDN-4."""
    user_id = await make_user(session)
    row: Row = {"user_id": user_id, "role": "support", "granted_by": new_id(), "granted_at": NOW}
    await check_rules(
        session,
        "user_roles",
        {
            "role_known": [(row, {"role": "owner"})],
            "revoked_whole": [(row, {"revoked_at": NOW}), (row, {"revoked_by": new_id()})],
            "not_granted_to_oneself": [(row, {"granted_by": user_id})],
        },
    )


@pytest.mark.parametrize("table", ["session_token_claims", "api_key_claims"])
async def test_a_token_belongs_to_one_user(session: AsyncSession, table: str) -> None:
    """IDN-6."""
    row: Row = {"token_hash": bytes(32), "user_id": new_id()}
    await check_rules(session, table, {"token_hash_length": [(row, {"token_hash": b"short"})]})
    await insert(session, table, row)
    with pytest.raises(IntegrityError, match=f"pk_{table}"):
        await insert(session, table, {**row, "user_id": new_id()})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE user_sessions SET user_id = gen_random_uuid()",
        "UPDATE user_sessions SET expires_at = 'infinity'",
        "UPDATE user_sessions SET token_hash = ''",
        "UPDATE api_keys SET scopes = '{roles.grant}'",
        "UPDATE session_token_claims SET user_id = gen_random_uuid()",
        "UPDATE api_key_claims SET user_id = gen_random_uuid()",
        "UPDATE user_roles SET role = 'admin'",
        "DELETE FROM user_sessions",
        "DELETE FROM user_roles",
    ],
)
async def test_the_application_cannot_move_what_opens_the_door(session: AsyncSession, statement: str) -> None:
    with pytest.raises(DBAPIError) as refused:
        await session.execute(text(statement))
    assert isinstance(refused.value.orig, errors.InsufficientPrivilege)


@pytest.mark.parametrize("table", ["user_sessions", "session_token_claims", "api_keys", "api_key_claims"])
def test_the_read_only_role_sees_no_hash_of_a_token(worker_database: Settings, table: str) -> None:
    """IDN-6."""
    with psycopg.connect(database_url(worker_database, Role.READ)) as connection:
        connection.execute(f"SELECT user_id FROM {table}".encode())  # noqa: S608 - the tests' own
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(f"SELECT token_hash FROM {table}".encode())  # noqa: S608 - likewise
