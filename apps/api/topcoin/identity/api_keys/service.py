"""Making, listing and revoking API keys, and telling whose one is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit.domain import Action, diff
from topcoin.audit.service import record
from topcoin.identity import repository as users
from topcoin.identity.api_keys import repository
from topcoin.identity.api_keys.domain import LIVE_MAX, ApiKey, checked_expiry, checked_name, checked_scopes
from topcoin.identity.domain import User
from topcoin.identity.errors import ApiKeyNotFound, TooManyApiKeys, UserNotFound
from topcoin.identity.pages.domain import decode_id, page_by_id
from topcoin.identity.tokens.domain import API_KEY_PREFIX, new_token, shown_prefix, token_hash
from topcoin.kernel.access import Actor, Permission
from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id
from topcoin.kernel.pages import PAGE_SIZE_DEFAULT, Page

CREATE_API_KEY: Final = Action("create_api_key")
REVOKE_API_KEY: Final = Action("revoke_api_key")


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made. Its secret is told once, here."""

    key: ApiKey
    secret: str = field(repr=False)


async def create_api_key(
    session: AsyncSession,
    clock: Clock,
    actor: Actor,
    *,
    user_id: UUID,
    name: str,
    scopes: Iterable[Permission],
    expires_at: datetime | None = None,
) -> NewApiKey:
    """Make a key that may use some of the actor's own permissions; without a time it expires in 90 days.

    Raises InvalidApiKey, TooManyApiKeys.
    """
    now = clock.now()
    secret = new_token(API_KEY_PREFIX)
    key = ApiKey(
        user_id=user_id,
        id=new_id(),
        name=checked_name(name),
        prefix=shown_prefix(secret),
        scopes=checked_scopes(scopes, actor.permissions),
        created_at=now,
        expires_at=checked_expiry(expires_at, now),
        last_used_at=None,
        revoked_at=None,
    )
    # The user's row is locked, so that of two keys made at once the second counts the first.
    if await users.select_user(session, user_id, for_update=True) is None:
        raise UserNotFound("no user has this id")
    if await repository.count_live_keys(session, user_id, now) >= LIVE_MAX:
        raise TooManyApiKeys(f"you have {LIVE_MAX} keys, and may have no more; revoke one that you do not use")
    await repository.insert_key(session, key, token_hash(secret))
    await record(
        session,
        clock,
        actor=actor,
        action=CREATE_API_KEY,
        subject_user_id=user_id,
        object_type="api_key",
        object_id=key.id,
        changes=diff({}, {"name": key.name, "scopes": key.scopes, "expires_at": key.expires_at}),
    )
    return NewApiKey(key, secret)


async def list_api_keys(
    session: AsyncSession, user_id: UUID, *, cursor: str | None = None, limit: int = PAGE_SIZE_DEFAULT
) -> Page[ApiKey]:
    """A page of a user's keys, the newest first, those that are good no more among them. Raises InvalidCursor."""
    before = None if cursor is None else decode_id(cursor)
    return page_by_id(await repository.select_keys(session, user_id, before=before, limit=limit + 1), limit)


async def revoke_api_key(session: AsyncSession, clock: Clock, actor: Actor, *, user_id: UUID, key_id: UUID) -> None:
    """End a user's key at once. Raises ApiKeyNotFound where the user has no live key of this id."""
    now = clock.now()
    key = await repository.select_key(session, user_id, key_id)
    if key is None or not key.is_live(now):
        raise ApiKeyNotFound("none of your live API keys has this id; list them with GET me/api-keys")
    await repository.mark_revoked(session, key, now)
    await record(
        session,
        clock,
        actor=actor,
        action=REVOKE_API_KEY,
        subject_user_id=user_id,
        object_type="api_key",
        object_id=key_id,
        changes=diff({"revoked_at": None}, {"revoked_at": now}),
    )


async def find_by_secret(session: AsyncSession, clock: Clock, secret: str) -> tuple[ApiKey, User] | None:
    """The live key that has a secret, and whose it is; None where it is good no more, or its user is shut out.

    Notes that it was used, to about a minute.
    """
    found = await repository.select_by_token(session, token_hash(secret))
    now = clock.now()
    if found is None or not found[0].is_live(now) or not found[1].may_enter:
        return None
    if found[0].is_used_anew(now):
        await repository.touch(session, found[0], now)
    return found
