"""Queries on staff roles."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.identity.models import UserRole
from topcoin.kernel.access import StaffRole


async def upsert_role(session: AsyncSession, user_id: UUID, role: StaffRole, *, by: UUID, at: datetime) -> None:
    """Let a user hold a role, again where they held it once."""
    granted = {"granted_by": by, "granted_at": at}
    await session.execute(
        insert(UserRole)
        .values(user_id=user_id, role=role, **granted)
        .on_conflict_do_update(
            index_elements=[UserRole.user_id, UserRole.role],
            set_={**granted, "revoked_by": None, "revoked_at": None},
        )
    )


async def mark_revoked(session: AsyncSession, user_id: UUID, role: StaffRole, *, by: UUID, at: datetime) -> None:
    """Note that a user holds a role no more."""
    await session.execute(
        update(UserRole)
        .where(UserRole.user_id == user_id, UserRole.role == role)
        .values(revoked_by=by, revoked_at=at)
        .execution_options(synchronize_session=False)
    )
