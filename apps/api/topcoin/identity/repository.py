"""Queries on users and the roles they hold."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as postgresql
from sqlalchemy import Row, Select, Text, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.identity.domain import User as UserRecord
from topcoin.identity.models import User, UserEmailClaim, UserRole
from topcoin.kernel.access import StaffRole

_CLAIMED = "pk_user_email_claims"

Columns = tuple[Any, ...]


async def insert_user(
    session: AsyncSession,
    *,
    user_id: UUID,
    email: str,
    hashed_password: str,
    display_name: str,
    country: str | None,
    created_at: datetime,
) -> bool:
    """Insert a user; whether the address was free. The session stays usable if it was not."""
    row: dict[str, Any] = {
        "id": user_id,
        "email": email,
        "hashed_password": hashed_password,
        "display_name": display_name,
        "country": country,
        "created_at": created_at,
    }
    try:
        async with session.begin_nested():
            await session.execute(insert(User).values(row))
    except IntegrityError as error:
        if isinstance(error.orig, postgresql.UniqueViolation) and error.orig.diag.constraint_name == _CLAIMED:
            return False
        raise
    return True


async def select_user(session: AsyncSession, user_id: UUID, *, for_update: bool = False) -> UserRecord | None:
    """A user by id; `for_update` keeps others from changing the row until the transaction ends."""
    query = select_users().where(User.id == user_id)
    if for_update:
        query = query.with_for_update(of=User, key_share=True)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else user_of(row)


async def select_user_and_password(session: AsyncSession, email: str) -> tuple[UserRecord, str] | None:
    """Who has an e-mail address, in whatever case, and the hash of their password."""
    query = (
        select_users()
        .add_columns(User.hashed_password)
        .join(UserEmailClaim, UserEmailClaim.user_id == User.id)
        .where(UserEmailClaim.email == func.normal_email(email))
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (user_of(row), row.hashed_password)


async def select_password(session: AsyncSession, user_id: UUID) -> str | None:
    """The hash of a user's password."""
    return await session.scalar(select(User.hashed_password).where(User.id == user_id))


async def update_user(session: AsyncSession, user_id: UUID, **changes: Any) -> None:  # noqa: ANN401 - values of columns
    """Change columns of a user's row."""
    await session.execute(
        update(User).where(User.id == user_id).values(**changes).execution_options(synchronize_session=False)
    )


async def update_password(session: AsyncSession, user_id: UUID, *, before: str, after: str) -> None:
    """Replace the hash of a password, unless somebody else has replaced it meanwhile."""
    await session.execute(
        update(User)
        .where(User.id == user_id, User.hashed_password == before)
        .values(hashed_password=after)
        .execution_options(synchronize_session=False)
    )


def select_users() -> Select[*Columns]:
    """The query of users that `user_of` reads; two columns have names that leave room for those of other tables."""
    held = (UserRole.user_id == User.id) & UserRole.revoked_at.is_(None)
    roles = select(func.array_agg(UserRole.role, type_=ARRAY(Text))).where(held).correlate(User).scalar_subquery()
    return select(
        User.id.label("owner_id"),
        User.email,
        User.display_name,
        User.kyc_status,
        User.can_access_trading,
        User.is_active,
        User.is_banned,
        User.banned_reason,
        User.last_login_at,
        User.country,
        User.created_at.label("registered_at"),
        roles.label("roles"),
    )


def user_of(row: Row[*Columns]) -> UserRecord:
    """The user in a row of `select_users`."""
    return UserRecord(
        id=row.owner_id,
        email=row.email,
        display_name=row.display_name,
        kyc_status=row.kyc_status,
        can_access_trading=row.can_access_trading,
        is_active=row.is_active,
        is_banned=row.is_banned,
        banned_reason=row.banned_reason,
        last_login_at=row.last_login_at,
        country=row.country,
        created_at=row.registered_at,
        roles=frozenset(map(StaffRole, row.roles or ())),
    )
