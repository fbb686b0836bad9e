"""Carrying a command out under its key, in one transaction with the key and the answer.

The key is claimed by the first statement. Whoever comes second with it waits there, on the unique key, until the first
has committed or rolled back: then it finds the answer, or carries the command out itself.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.http.idempotency import repository
from topcoin.http.idempotency.domain import KEPT_FOR, KeptAnswer
from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.database.unit_of_work import transaction
from topcoin.kernel.clock import Clock
from topcoin.kernel.errors import IdempotencyConflict


async def carry_out_once(
    sessions: SessionFactory,
    clock: Clock,
    *,
    user_id: UUID,
    key: str,
    input_hash: bytes,
    command: Callable[[AsyncSession], Awaitable[KeptAnswer]],
) -> tuple[KeptAnswer, bool]:
    """The answer of a command, and whether it is an earlier one repeated (HTT-1).

    Raises IdempotencyConflict where the key was used for another request (HTT-2), and what the command raises, after
    which the key is unused (HTT-3).
    """
    async with transaction(sessions) as session:
        now = clock.now()
        if not await repository.claim_key(
            session, user_id, key, input_hash=input_hash, now=now, expires_at=now + KEPT_FOR
        ):
            used_for, answer = await repository.select_answer(session, user_id, key)
            if used_for != input_hash:
                raise IdempotencyConflict(
                    "this idempotency key was used for another request; send a new key with a new request"
                )
            return answer, True
        answer = await command(session)
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            await session.flush()
            await repository.keep_answer(session, user_id, key, answer)
        else:
            await session.rollback()
    return answer, False


async def forget_expired(session: AsyncSession, clock: Clock) -> int:
    """Delete the keys that have expired; how many there were. A key is free from its expiry on, deleted or not."""
    return await repository.delete_expired(session, clock.now())
