"""Recording who did what.

One row, in the caller's transaction: what is done and its record are kept together, or neither is.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit import repository
from topcoin.audit.domain import (
    FIRST_PREVIOUS_HASH,
    HOUSE_USER_ID,
    Action,
    AuditRow,
    Changes,
    canonical_json,
    chain_hash,
    checked_reason,
    plain,
    recordable_changes,
    storable_address,
)
from topcoin.kernel.access import Actor
from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id


async def record(
    session: AsyncSession,
    clock: Clock,
    *,
    actor: Actor,
    action: Action,
    subject_user_id: UUID | None = None,
    object_type: str | None = None,
    object_id: UUID | str | None = None,
    changes: Changes | None = None,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> UUID:
    """Add a row to a subject's trail and return its id.

    The subject is the customer concerned; without one, the actor; without either, the house. `object_type` is the
    singular of the object's table. `changes` come from `domain.diff`. Secrets are redacted here once more (AUD-3).

    Whoever else adds to the same trail waits until the caller's transaction ends: record last, just before the commit,
    and where one command concerns several customers, in the order of their ids.

    Raises ReasonRequired where a sensitive action has none, Unrecordable for values without a canonical form.
    """
    acted = actor.user_id or HOUSE_USER_ID
    subject = subject_user_id or acted
    address = storable_address(actor.ip_address)
    row = AuditRow(
        user_id=subject,
        id=new_id(),
        sequence=0,
        actor=acted,
        action=action.code,
        object_type=object_type,
        object_id=None if object_id is None else plain(str(object_id)),
        changes=canonical_json(recordable_changes(changes or {})),
        reason=checked_reason(action, reason),
        ip_address=None if address is None else str(address),
        user_agent=plain(actor.user_agent),
        request_id=plain(actor.request_id),
        session_id=actor.session_id,
        metadata=canonical_json(plain(metadata or {})),
        created_at=clock.now(),
        previous_hash=FIRST_PREVIOUS_HASH,
        entry_hash=b"",
    )
    head = await repository.lock_head(session, subject)
    row = row._replace(sequence=head.sequence + 1, previous_hash=head.entry_hash)
    row = row._replace(entry_hash=chain_hash(row))
    await repository.append(session, row, address)
    return row.id
