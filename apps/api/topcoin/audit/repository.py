"""Adding to a subject's chain."""

import json
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit.domain import AuditRow
from topcoin.audit.models import Audit, AuditHead


class Head(NamedTuple):
    """The end of a chain."""

    sequence: int
    entry_hash: bytes


async def lock_head(session: AsyncSession, user_id: UUID) -> Head:
    """Wait until nobody else adds to the subject's chain, and keep others waiting until the transaction ends."""
    query = (
        select(AuditHead.sequence, AuditHead.entry_hash)
        .where(AuditHead.user_id == user_id)
        .with_for_update(key_share=True)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        await session.execute(upsert(AuditHead).values(user_id=user_id).on_conflict_do_nothing())
        found = (await session.execute(query)).one()
    return Head(*found)


async def append(session: AsyncSession, row: AuditRow, address: IPv4Address | IPv6Address | None) -> None:
    """Add a row that continues the chain whose head is locked, and move the head to it, in one statement."""
    move_head = (
        update(AuditHead)
        .where(AuditHead.user_id == row.user_id)
        .values(sequence=row.sequence, entry_hash=row.entry_hash)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        insert(Audit)
        .values(
            user_id=row.user_id,
            id=row.id,
            sequence=row.sequence,
            previous_hash=row.previous_hash,
            entry_hash=row.entry_hash,
            actor=row.actor,
            action=row.action,
            object_type=row.object_type,
            object_id=row.object_id,
            changes=json.loads(row.changes),
            reason=row.reason,
            ip_address=address,
            user_agent=row.user_agent,
            request_id=row.request_id,
            session_id=row.session_id,
            metadata_=json.loads(row.metadata),
            created_at=row.created_at,
        )
        .add_cte(move_head.cte("move_head"))
    )
