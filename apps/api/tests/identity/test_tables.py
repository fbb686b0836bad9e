from datetime import date, timedelta

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, Row, make_user, user_row
from support.rules import check_rules

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
    await make_user(session, email="Ada@Example.com")
    with pytest.raises(IntegrityError, match="pk_user_email_claims"):
        await make_user(session, email=spelling)


async def test_an_email_is_taken_in_whatever_unicode_form(session: AsyncSession) -> None:
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
