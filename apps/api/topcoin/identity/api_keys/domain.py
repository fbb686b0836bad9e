"""What an API key may be. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from topcoin.identity.errors import InvalidApiKey
from topcoin.kernel.access import NEVER_BY_KEY, Permission

LIFETIME_DEFAULT: Final = timedelta(days=90)
LIFETIME_MAX: Final = timedelta(days=365)

LIVE_MAX: Final = 20
"""How many live keys a user may have."""

NAME_LENGTH_MAX: Final = 100

USED_INTERVAL: Final = timedelta(minutes=1)
"""How exactly it is noted when a key was last used: not every request needs to write."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret."""

    user_id: UUID
    id: UUID
    name: str
    prefix: str
    scopes: frozenset[Permission]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether it has neither been revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at

    def is_used_anew(self, now: datetime) -> bool:
        """Whether a use at this moment is to be noted."""
        return self.last_used_at is None or now >= self.last_used_at + USED_INTERVAL


def checked_name(name: str) -> str:
    """A key's name without the space around it. Raises InvalidApiKey."""
    found = name.strip()
    if not found or len(found) > NAME_LENGTH_MAX or not found.isprintable():
        raise InvalidApiKey(f"the name of a key has 1 to {NAME_LENGTH_MAX} printable characters")
    return found


def checked_scopes(scopes: Iterable[Permission], permitted: frozenset[Permission]) -> frozenset[Permission]:
    """The scopes of a key whose owner has these permissions, less what no key may do (IDN-8). Raises InvalidApiKey."""
    wanted, possible = frozenset(scopes), permitted - NEVER_BY_KEY
    if not wanted or not wanted <= possible:
        raise InvalidApiKey(f"give a key one or more of your scopes: {', '.join(sorted(possible))}")
    return wanted


def checked_expiry(expires_at: datetime | None, now: datetime) -> datetime:
    """When a key that is made now expires. Raises InvalidApiKey."""
    if expires_at is None:
        return now + LIFETIME_DEFAULT
    if not now < expires_at <= now + LIFETIME_MAX:
        raise InvalidApiKey(f"a key expires in the future, within {LIFETIME_MAX.days} days")
    return expires_at
