"""Queries on users."""

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as postgresql
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.identity.models import User

_CLAIMED = "pk_user_email_claims"


async def insert_user(
    session: AsyncSession,
    *,
    user_id: UUID,
    email: str,
    hashed_password: str,
    display_name: str,
    is_admin: bool,
    country: str | None,
    created_at: datetime,
) -> bool:
    """Insert a user; whether the address was free. The session stays usable if it was not."""
    row: dict[str, Any] = {
        "id": user_id,
        "email": email,
        "hashed_password": hashed_password,
        "display_name": display_name,
        "is_admin": is_admin,
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
