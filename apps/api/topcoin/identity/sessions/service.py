"""Signing in, staying signed in, signing out."""

from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit.domain import Action, diff, storable_address
from topcoin.audit.service import record
from topcoin.http.errors import InvalidCredentials
from topcoin.identity import repository as users
from topcoin.identity.domain import User
from topcoin.identity.errors import (
    ReauthenticationRequired,
    SessionNotFound,
    UserBanned,
    UserInactive,
    WrongPassword,
)
from topcoin.identity.pages.domain import decode_id, page_by_id
from topcoin.identity.passwords import service as passwords
from topcoin.identity.sessions import repository
from topcoin.identity.sessions.domain import ABSOLUTE_TIMEOUT, UserSession
from topcoin.identity.tokens.domain import new_token, token_hash
from topcoin.kernel.access import Actor
from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id
from topcoin.kernel.pages import PAGE_SIZE_DEFAULT, Page

SIGN_IN: Final = Action("sign_in")
SIGN_OUT: Final = Action("sign_out")
REAUTHENTICATE: Final = Action("reauthenticate")
REVOKE_SESSION: Final = Action("revoke_session")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that succeeded. The token is told once, here."""

    user: User
    session: UserSession
    token: str = field(repr=False)


async def sign_in(
    session: AsyncSession,
    clock: Clock,
    actor: Actor,
    *,
    email: str,
    password: str,
    replaces_token: str | None = None,
) -> SignedIn:
    """Start a session for who has this address and password. `actor` says from where.

    A session always gets a token of its own. `replaces_token` is that of the session the same browser had until now,
    which ends.

    Raises InvalidCredentials, with the same answer and after the same work whether the address is unknown or the
    password wrong. Only who gave the right password is told by UserInactive or UserBanned that they are shut out.
    Raises SignInsBusy where too many sign in at this moment.
    """
    async with passwords.turn():
        found = await users.select_user_and_password(session, email)
        user, hashed = found or (None, None)
        verdict = await passwords.check_password(password, hashed)
    if user is None or hashed is None or not verdict.matches:
        log.info("sign_in_refused", ip_address=actor.ip_address)
        raise InvalidCredentials("the e-mail address or the password is wrong; check both")
    _check_may_enter(user)
    now = clock.now()
    if verdict.rehashed is not None:
        await users.update_password(session, user.id, before=hashed, after=verdict.rehashed)
    await users.update_user(session, user.id, last_login_at=now)
    token = new_token()
    started = UserSession(
        user_id=user.id,
        id=new_id(),
        created_at=now,
        last_seen_at=now,
        reauthenticated_at=now,
        expires_at=now + ABSOLUTE_TIMEOUT,
        revoked_at=None,
        ip_address=storable_address(actor.ip_address),
        user_agent=actor.user_agent,
    )
    await repository.insert_session(session, started, token_hash(token))
    ended = await _end_replaced(session, clock, user, replaces_token)
    await record(
        session,
        clock,
        actor=replace(actor, kind=user.kind, user_id=user.id, roles=user.roles, session_id=started.id),
        action=SIGN_IN,
        object_type="user_session",
        object_id=started.id,
        metadata={} if ended is None else {"replaces": ended},
    )
    return SignedIn(replace(user, last_login_at=now), started, token)


def _check_may_enter(user: User) -> None:
    if user.is_banned and user.roles:
        raise UserBanned(f"you have been banned: {user.banned_reason}; write to support if you disagree")
    if not user.is_active:
        raise UserInactive("this user is switched off; write to support to be switched on again")


async def _end_replaced(session: AsyncSession, clock: Clock, user: User, token: str | None) -> UUID | None:
    """End the session that the browser had before, if it is live and of the same user."""
    found = None if token is None else await repository.select_by_token(session, token_hash(token))
    if found is None:
        return None
    before, owner = found
    if owner.id != user.id or not before.is_live(clock.now()):
        return None
    await repository.update_session(session, user.id, before.id, revoked_at=clock.now())
    return before.id


async def find_by_token(session: AsyncSession, clock: Clock, token: str) -> tuple[UserSession, User] | None:
    """The live session that has a token, and whose it is; None where it is over, or its user is shut out.

    Notes that it was used, to about a minute.
    """
    found = await repository.select_by_token(session, token_hash(token))
    now = clock.now()
    if found is None or not found[0].is_live(now) or not found[1].may_enter:
        return None
    if found[0].is_seen_anew(now):
        await repository.touch(session, found[0], now)
    return found


async def sign_out(session: AsyncSession, clock: Clock, actor: Actor) -> None:
    """End the actor's own session. Raises SessionNotFound where it is over already, or they came by an API key."""
    await _end(session, clock, actor, actor.session_id, SIGN_OUT)


async def revoke_session(session: AsyncSession, clock: Clock, actor: Actor, session_id: UUID) -> None:
    """End one of the actor's sessions, on whatever device. Raises SessionNotFound, of others' sessions too."""
    await _end(session, clock, actor, session_id, REVOKE_SESSION)


async def reauthenticate(session: AsyncSession, clock: Clock, actor: Actor, *, password: str) -> UserSession:
    """Note that the actor gave their password again. Raises WrongPassword, SessionNotFound, SignInsBusy."""
    async with passwords.turn():
        hashed = None if actor.user_id is None else await users.select_password(session, actor.user_id)
        verdict = await passwords.check_password(password, hashed)
    if not verdict.matches:
        log.info("reauthentication_refused", user_id=str(actor.user_id), ip_address=actor.ip_address)
        raise WrongPassword("this is not your password; check it")
    live = await _live_session(session, clock, actor, actor.session_id)
    now = clock.now()
    await repository.update_session(session, live.user_id, live.id, reauthenticated_at=now)
    await record(session, clock, actor=actor, action=REAUTHENTICATE, object_type="user_session", object_id=live.id)
    return replace(live, reauthenticated_at=now)


async def require_recent_password(session: AsyncSession, clock: Clock, actor: Actor) -> None:
    """Go on where the actor gave their password a short while ago. Raises ReauthenticationRequired, SessionNotFound."""
    live = await _live_session(session, clock, actor, actor.session_id)
    if not live.is_recently_authenticated(clock.now()):
        raise ReauthenticationRequired("give your password again (POST auth/reauthenticate), then repeat this")


async def list_sessions(
    session: AsyncSession, clock: Clock, user_id: UUID, *, cursor: str | None = None, limit: int = PAGE_SIZE_DEFAULT
) -> Page[UserSession]:
    """A page of a user's live sessions, the newest first. Raises InvalidCursor."""
    before = None if cursor is None else decode_id(cursor)
    found = await repository.select_live_sessions(session, user_id, now=clock.now(), before=before, limit=limit + 1)
    return page_by_id(found, limit)


async def _live_session(session: AsyncSession, clock: Clock, actor: Actor, session_id: UUID | None) -> UserSession:
    """One of the actor's live sessions, kept from change until the transaction ends."""
    found = None
    if actor.user_id is not None and session_id is not None:
        found = await repository.select_session(session, actor.user_id, session_id, for_update=True)
    if found is None or not found.is_live(clock.now()):
        raise SessionNotFound("none of your live sessions has this id; list them with GET me/sessions")
    return found


async def _end(session: AsyncSession, clock: Clock, actor: Actor, session_id: UUID | None, action: Action) -> None:
    live = await _live_session(session, clock, actor, session_id)
    now = clock.now()
    await repository.update_session(session, live.user_id, live.id, revoked_at=now)
    await record(
        session,
        clock,
        actor=actor,
        action=action,
        object_type="user_session",
        object_id=live.id,
        changes=diff({"revoked_at": None}, {"revoked_at": now}),
    )
