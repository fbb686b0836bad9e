"""How long a sign-in lasts. Pure.

By OWASP ASVS 4.0.3, requirement 3.3.2, level 2: after half an hour without use, or after twelve hours, one signs in
again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from uuid import UUID

IDLE_TIMEOUT: Final = timedelta(minutes=30)
"""Unused for so long, a session is over."""

ABSOLUTE_TIMEOUT: Final = timedelta(hours=12)
"""After so long a session is over, however much it is used."""

SEEN_INTERVAL: Final = timedelta(minutes=1)
"""How exactly it is noted when a session was last used: not every request needs to write."""

REAUTHENTICATION_LASTS: Final = timedelta(minutes=10)
"""How long after giving the password one may do what asks for it."""


@dataclass(frozen=True, slots=True)
class UserSession:
    """A sign-in, without its token."""

    user_id: UUID
    id: UUID
    created_at: datetime
    last_seen_at: datetime
    reauthenticated_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    ip_address: IPv4Address | IPv6Address | None
    user_agent: str | None

    def is_live(self, now: datetime) -> bool:
        """Whether it has neither been revoked nor expired, by either time."""
        return self.revoked_at is None and now < self.expires_at and now < self.last_seen_at + IDLE_TIMEOUT

    def is_seen_anew(self, now: datetime) -> bool:
        """Whether a use at this moment is to be noted."""
        return now >= self.last_seen_at + SEEN_INTERVAL

    def is_recently_authenticated(self, now: datetime) -> bool:
        """Whether the password was given a short while ago."""
        return now < self.reauthenticated_at + REAUTHENTICATION_LASTS
