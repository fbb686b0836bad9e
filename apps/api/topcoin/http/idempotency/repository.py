"""Queries on idempotency keys, each on one user's rows."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, delete, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.http.idempotency.domain import KeptAnswer
from topcoin.http.idempotency.models import IdempotencyKey


async def claim_key(
    session: AsyncSession, user_id: UUID, key: str, *, input_hash: bytes, now: datetime, expires_at: datetime
) -> bool:
    """Take a key that is unused or expired; whether it was. While another transaction has it, wait for its end."""
    taken: dict[str, Any] = {
        "input_hash": input_hash,
        "status_code": null(),
        "answer_headers": null(),
        "answer_body": null(),
        "created_at": now,
        "expires_at": expires_at,
    }
    claimed = await session.scalar(
        insert(IdempotencyKey)
        .values(user_id=user_id, key=key, **taken)
        .on_conflict_do_update(
            index_elements=[IdempotencyKey.user_id, IdempotencyKey.key],
            set_=taken,
            where=IdempotencyKey.expires_at <= now,
        )
        .returning(IdempotencyKey.key)
    )
    return claimed is not None


async def select_answer(session: AsyncSession, user_id: UUID, key: str) -> tuple[bytes, KeptAnswer]:
    """What a key that is in use was used for, and the answer."""
    found = (
        await session.execute(
            select(
                IdempotencyKey.input_hash,
                IdempotencyKey.status_code,
                IdempotencyKey.answer_headers,
                IdempotencyKey.answer_body,
            ).where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
        )
    ).one()
    return found.input_hash, KeptAnswer(found.status_code, found.answer_headers, found.answer_body)


async def keep_answer(session: AsyncSession, user_id: UUID, key: str, answer: KeptAnswer) -> None:
    """Keep the answer of the command that took the key."""
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
        .values(status_code=answer.status_code, answer_headers=dict(answer.headers), answer_body=answer.body)
    )


async def delete_expired(session: AsyncSession, now: datetime) -> int:
    """Delete what has expired, of all users; how many rows."""
    found = await session.execute(delete(IdempotencyKey).where(IdempotencyKey.expires_at <= now))
    return cast("CursorResult[Any]", found).rowcount
