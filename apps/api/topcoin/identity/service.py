"""Creating users."""

import re
import unicodedata
from typing import Final
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.identity import repository
from topcoin.identity.errors import EmailTaken, InvalidEmail, InvalidPassword, InvalidProfile
from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id

UNUSABLE_PASSWORD: Final = "!"  # noqa: S105 - the hash of no password
"""Stands where a user has no password: no sign-in with one succeeds."""

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 1024

_NAME_LENGTH_MAX: Final = 200
_EMAIL_LENGTH_MAX: Final = 254
_LOCAL_PART_LENGTH_MAX: Final = 64
# Dot-separated words on both sides, of letters and digits in any script; a domain of at least two labels. What this
# admits may still not exist: only a message that arrives proves that.
_LOCAL_PART: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W\d_]([\w-]{0,61}[^\W_])?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")

_passwords = PasswordHash((Argon2Hasher(),))


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


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, in PHC form. Takes its time on purpose. Raises InvalidPassword."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidPassword(f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return _passwords.hash(password)


async def create_user(
    session: AsyncSession,
    clock: Clock,
    *,
    email: str,
    display_name: str,
    hashed_password: str = UNUSABLE_PASSWORD,
    is_admin: bool = False,
    country: str | None = None,
) -> UUID:
    """Create a user and return the id; `hashed_password` is from `hash_password`, `country` ISO 3166-1 alpha-2.

    Raises InvalidEmail, InvalidProfile, or EmailTaken, after which the session goes on as before.
    """
    name = display_name.strip()
    if not name or len(name) > _NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidProfile(f"a name has 1 to {_NAME_LENGTH_MAX} printable characters")
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
        is_admin=is_admin,
        country=country,
        created_at=clock.now(),
    ):
        raise EmailTaken(f"{address} is registered already; use another address")
    return user_id
