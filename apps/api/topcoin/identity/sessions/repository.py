"""Queries on sessions. Each stays within one user's rows (IDN-7) but the one that finds whose a token is."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.identity.domain import User
from topcoin.identity.models import SessionTokenClaim
from topcoin.identity.models import User as UserTable
from topcoin.identity.models import UserSession as SessionTable
from topcoin.identity.repository import Columns, select_users, user_of
from topcoin.identity.sessions.domain import IDLE_TIMEOUT, UserSession


async def insert_session(session: AsyncSession, new: UserSession, token_hash: bytes) -> None:
    """Insert a session, and claim its token."""
    await session.execute(insert(SessionTokenClaim).values(token_hash=token_hash, user_id=new.user_id))
    await session.execute(
        insert(SessionTable).values(
            user_id=new.user_id,
            id=new.id,
            token_hash=token_hash,
            created_at=new.created_at,
            last_seen_at=new.last_seen_at,
            reauthenticated_at=new.reauthenticated_at,
            expires_at=new.expires_at,
            ip_address=new.ip_address,
            user_agent=new.user_agent,
        )
    )


async def select_by_token(session: AsyncSession, token_hash: bytes) -> tuple[UserSession, User] | None:
    """The session that has a token, live or not, and whose it is."""
    row = (await session.execute(_by_token(), {"token_hash": token_hash})).one_or_none()
    return None if row is None else (_session_of(row), user_of(row))


async def select_session(
    session: AsyncSession, user_id: UUID, session_id: UUID, *, for_update: bool = False
) -> UserSession | None:
    """One of a user's sessions; `for_update` keeps others from changing it until the transaction ends."""
    query = _sessions().where(SessionTable.user_id == user_id, SessionTable.id == session_id)
    if for_update:
        query = query.with_for_update(key_share=True)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _session_of(row)


async def select_live_sessions(
    session: AsyncSession, user_id: UUID, *, now: datetime, before: UUID | None, limit: int
) -> list[UserSession]:
    """A user's live sessions, the newest first, from below an id."""
    query = (
        _sessions()
        .where(
            SessionTable.user_id == user_id,
            SessionTable.revoked_at.is_(None),
            SessionTable.expires_at > now,
            SessionTable.last_seen_at > now - IDLE_TIMEOUT,
        )
        .order_by(SessionTable.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(SessionTable.id < before)
    return [_session_of(row) for row in (await session.execute(query)).all()]


async def update_session(
    session: AsyncSession,
    user_id: UUID,
    session_id: UUID,
    **changes: Any,  # noqa: ANN401 - values of columns
) -> None:
    """Change columns of a session's row."""
    await session.execute(
        update(SessionTable)
        .where(SessionTable.user_id == user_id, SessionTable.id == session_id)
        .values(**changes)
        .execution_options(synchronize_session=False)
    )


async def touch(session: AsyncSession, seen: UserSession, now: datetime) -> None:
    """Note when a session was used; two at once keep the later time."""
    await update_session(session, seen.user_id, seen.id, last_seen_at=func.greatest(SessionTable.last_seen_at, now))


@cache
def _by_token() -> Select[*Columns]:
    """Made once: every request by cookie asks it."""
    return (
        select_users()
        .add_columns(*_sessions().selected_columns)
        .join(SessionTable, SessionTable.user_id == UserTable.id)
        .join(
            SessionTokenClaim,
            (SessionTokenClaim.user_id == SessionTable.user_id)
            & (SessionTokenClaim.token_hash == SessionTable.token_hash),
        )
        .where(SessionTokenClaim.token_hash == bindparam("token_hash"))
    )


def _sessions() -> Select[*Columns]:
    return select(
        SessionTable.user_id,
        SessionTable.id,
        SessionTable.created_at,
        SessionTable.last_seen_at,
        SessionTable.reauthenticated_at,
        SessionTable.expires_at,
        SessionTable.revoked_at,
        SessionTable.ip_address,
        SessionTable.user_agent,
    )


def _session_of(row: Row[*Columns]) -> UserSession:
    return UserSession(
        user_id=row.user_id,
        id=row.id,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        reauthenticated_at=row.reauthenticated_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        ip_address=row.ip_address,
        user_agent=row.user_agent,
    )
