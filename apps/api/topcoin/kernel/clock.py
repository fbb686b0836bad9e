"""Time comes from a clock that is handed in, so that tests and demonstrations set it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time, always aware and in UTC."""

    def now(self) -> datetime:
        """The present moment."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment by the operating system."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved; time never runs backwards."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment to which the clock was last moved."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward by a duration that is not negative."""
        if by < timedelta(0):
            msg = f"a clock cannot go back: {by}"
            raise ValueError(msg)
        self._now += by
