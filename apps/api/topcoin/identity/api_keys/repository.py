"""Queries on API keys. Each stays within one user's rows (IDN-7) but the one that finds whose a key is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.identity.api_keys.domain import ApiKey
from topcoin.identity.domain import User
from topcoin.identity.models import ApiKey as ApiKeyTable
from topcoin.identity.models import ApiKeyClaim
from topcoin.identity.models import User as UserTable
from topcoin.identity.repository import Columns, select_users, user_of
from topcoin.kernel.access import Permission

_KNOWN_SCOPES = frozenset(Permission)


async def insert_key(session: AsyncSession, new: ApiKey, token_hash: bytes) -> None:
    """Insert a key, and claim its token."""
    await session.execute(insert(ApiKeyClaim).values(token_hash=token_hash, user_id=new.user_id))
    await session.execute(
        insert(ApiKeyTable).values(
            user_id=new.user_id,
            id=new.id,
            token_hash=token_hash,
            name=new.name,
            prefix=new.prefix,
            scopes=sorted(new.scopes),
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )


async def select_by_token(session: AsyncSession, token_hash: bytes) -> tuple[ApiKey, User] | None:
    """The key that has a token, live or not, and whose it is."""
    query = (
        select_users()
        .add_columns(*_keys().selected_columns)
        .join(ApiKeyTable, ApiKeyTable.user_id == UserTable.id)
        .join(
            ApiKeyClaim,
            (ApiKeyClaim.user_id == ApiKeyTable.user_id) & (ApiKeyClaim.token_hash == ApiKeyTable.token_hash),
        )
        .where(ApiKeyClaim.token_hash == token_hash)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (_key_of(row), user_of(row))


async def select_key(session: AsyncSession, user_id: UUID, key_id: UUID) -> ApiKey | None:
    """One of a user's keys, kept from change until the transaction ends."""
    query = _keys().where(ApiKeyTable.user_id == user_id, ApiKeyTable.id == key_id).with_for_update(key_share=True)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _key_of(row)


async def select_keys(session: AsyncSession, user_id: UUID, *, before: UUID | None, limit: int) -> list[ApiKey]:
    """A user's keys, live or not, the newest first, from below an id."""
    query = _keys().where(ApiKeyTable.user_id == user_id).order_by(ApiKeyTable.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ApiKeyTable.id < before)
    return [_key_of(row) for row in (await session.execute(query)).all()]


async def count_live_keys(session: AsyncSession, user_id: UUID, now: datetime) -> int:
    """How many live keys a user has."""
    query = select(func.count()).where(
        ApiKeyTable.user_id == user_id, ApiKeyTable.revoked_at.is_(None), ApiKeyTable.expires_at > now
    )
    return (await session.execute(query)).scalar_one()


async def mark_revoked(session: AsyncSession, key: ApiKey, now: datetime) -> None:
    """Note that a key is good no more."""
    await session.execute(
        update(ApiKeyTable)
        .where(ApiKeyTable.user_id == key.user_id, ApiKeyTable.id == key.id)
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )


async def touch(session: AsyncSession, key: ApiKey, now: datetime) -> None:
    """Note when a key was used; two at once keep the later time."""
    await session.execute(
        update(ApiKeyTable)
        .where(ApiKeyTable.user_id == key.user_id, ApiKeyTable.id == key.id)
        .values(last_used_at=func.greatest(ApiKeyTable.last_used_at, now))
        .execution_options(synchronize_session=False)
    )


def _keys() -> Select[*Columns]:
    return select(
        ApiKeyTable.user_id,
        ApiKeyTable.id,
        ApiKeyTable.name,
        ApiKeyTable.prefix,
        ApiKeyTable.scopes,
        ApiKeyTable.created_at,
        ApiKeyTable.expires_at,
        ApiKeyTable.last_used_at,
        ApiKeyTable.revoked_at,
    )


def _key_of(row: Row[*Columns]) -> ApiKey:
    """The key in a row. A scope that is known no more permits nothing."""
    return ApiKey(
        user_id=row.user_id,
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(Permission(scope) for scope in row.scopes if scope in _KNOWN_SCOPES),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
