"""Creating users, and what they say about themselves."""

import re
import unicodedata
from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.audit.domain import Action, diff
from topcoin.audit.service import record
from topcoin.identity import repository
from topcoin.identity.domain import User
from topcoin.identity.errors import EmailTaken, InvalidEmail, InvalidProfile, UserNotFound
from topcoin.identity.passwords.service import UNUSABLE_PASSWORD
from topcoin.kernel.access import Actor
from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id

UPDATE_PROFILE: Final = Action("update_profile")

_NAME_LENGTH_MAX: Final = 200
_EMAIL_LENGTH_MAX: Final = 254
_LOCAL_PART_LENGTH_MAX: Final = 64
# Dot-separated words on both sides, of letters and digits in any script; a domain of at least two labels. What this
# admits may still not exist: only a message that arrives proves that.
_LOCAL_PART: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W\d_]([\w-]{0,61}[^\W_])?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def normal_email(email: str) -> str:
    """An e-mail address without the space around it, in Unicode's composed form. Raises InvalidEmail."""
    found = unicodedata.normalize("NFC", email.strip())
    local_part, _, domain = found.rpartition("@")
    if (
        len(found) > _EMAIL_LENGTH_MAX
        or len(local_part) > _LOCAL_PART_LENGTH_MAX
        or not _LOCAL_PART.fullmatch(local_part)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise InvalidEmail(f"{email!r} is no e-mail address; write one such as ada@example.com")
    return found


def normal_name(display_name: str) -> str:
    """A name without the space around it. Raises InvalidProfile."""
    name = display_name.strip()
    if not name or len(name) > _NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidProfile(f"a name has 1 to {_NAME_LENGTH_MAX} printable characters")
    return name


async def create_user(
    session: AsyncSession,
    clock: Clock,
    *,
    email: str,
    display_name: str,
    hashed_password: str = UNUSABLE_PASSWORD,
    country: str | None = None,
) -> UUID:
    """Create a user and return the id; `hashed_password` is from `hash_password`, `country` ISO 3166-1 alpha-2.

    Raises InvalidEmail, InvalidProfile, or EmailTaken, after which the session goes on as before.
    """
    name = normal_name(display_name)
    if country is not None and not _COUNTRY.fullmatch(country):
        raise InvalidProfile(f"{country!r} is no country; write its two capital letters, such as DE")
    address = normal_email(email)
    user_id = new_id()
    if not await repository.insert_user(
        session,
        user_id=user_id,
        email=address,
        hashed_password=hashed_password,
        display_name=name,
        country=country,
        created_at=clock.now(),
    ):
        raise EmailTaken(f"{address} is registered already; use another address")
    return user_id


async def get_user(session: AsyncSession, user_id: UUID) -> User:
    """A user by id. Raises UserNotFound."""
    user = await repository.select_user(session, user_id)
    if user is None:
        raise UserNotFound("no user has this id")
    return user


async def update_profile(
    session: AsyncSession, clock: Clock, actor: Actor, *, user_id: UUID, display_name: str
) -> User:
    """Change what a user is called. Raises InvalidProfile, UserNotFound."""
    name = normal_name(display_name)
    before = await repository.select_user(session, user_id, for_update=True)
    if before is None:
        raise UserNotFound("no user has this id")
    if name == before.display_name:
        return before
    await repository.update_user(session, user_id, display_name=name)
    await record(
        session,
        clock,
        actor=actor,
        action=UPDATE_PROFILE,
        subject_user_id=user_id,
        object_type="user",
        object_id=user_id,
        changes=diff({"display_name": before.display_name}, {"display_name": name}),
    )
    return replace(before, display_name=name)
