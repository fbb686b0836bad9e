"""Granting and revoking staff roles. Who may ask for it, and that two people decide, is the callers' to see to."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit.domain import HOUSE_USER_ID, Action, diff
from topcoin.audit.service import record
from topcoin.identity import repository as users
from topcoin.identity.domain import User
from topcoin.identity.errors import OwnRoles, RoleUnchanged, UserNotFound
from topcoin.identity.roles import repository
from topcoin.kernel.access import Actor, StaffRole
from topcoin.kernel.clock import Clock

GRANT_ROLE: Final = Action("grant_role", sensitive=True)
REVOKE_ROLE: Final = Action("revoke_role", sensitive=True)


async def grant_role(
    session: AsyncSession, clock: Clock, actor: Actor, *, user_id: UUID, role: StaffRole, reason: str
) -> None:
    """Make a user a member of the staff, or one with one more role; acts on live sessions at once.

    Raises ReasonRequired, UserNotFound, RoleUnchanged where they hold it already, OwnRoles.
    """
    user = await _locked_user(session, actor, user_id)
    if role in user.roles:
        raise RoleUnchanged(f"this user has the role {role} already")
    await repository.upsert_role(session, user_id, role, by=actor.user_id or HOUSE_USER_ID, at=clock.now())
    await _follow(session, clock, actor, user, user.roles | {role}, GRANT_ROLE, reason)


async def revoke_role(
    session: AsyncSession, clock: Clock, actor: Actor, *, user_id: UUID, role: StaffRole, reason: str
) -> None:
    """Take a role from a member of the staff; acts on live sessions at once.

    Raises ReasonRequired, UserNotFound, RoleUnchanged where they do not hold it, OwnRoles.
    """
    user = await _locked_user(session, actor, user_id)
    if role not in user.roles:
        raise RoleUnchanged(f"this user does not have the role {role}")
    await repository.mark_revoked(session, user_id, role, by=actor.user_id or HOUSE_USER_ID, at=clock.now())
    await _follow(session, clock, actor, user, user.roles - {role}, REVOKE_ROLE, reason)


async def _locked_user(session: AsyncSession, actor: Actor, user_id: UUID) -> User:
    """The user, whose row is locked, so that of two changes at once the second sees the first."""
    if user_id == (actor.user_id or HOUSE_USER_ID):
        raise OwnRoles("nobody changes their own roles; ask another admin")
    user = await users.select_user(session, user_id, for_update=True)
    if user is None:
        raise UserNotFound("no user has this id")
    return user


async def _follow(
    session: AsyncSession,
    clock: Clock,
    actor: Actor,
    user: User,
    roles: frozenset[StaffRole],
    action: Action,
    reason: str,
) -> None:
    """Keep `users.is_admin` in step with the roles (IDN-4), and record the change."""
    await users.update_user(session, user.id, is_admin=bool(roles))
    await record(
        session,
        clock,
        actor=actor,
        action=action,
        subject_user_id=user.id,
        object_type="user",
        object_id=user.id,
        changes=diff({"roles": user.roles}, {"roles": roles}),
        reason=reason,
    )
