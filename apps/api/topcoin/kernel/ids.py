"""Identifiers: UUIDv7, made here so that every supported PostgreSQL has the same ones.

Layout by RFC 9562, section 5.7: 48 bits of Unix time in milliseconds, the version, 12 bits that count within the
millisecond (method 1, a fixed-length dedicated counter), the variant, 62 random bits. Ids made by one process sort in
the order in which they were made.
"""

import secrets
import threading
import time
from uuid import UUID

_COUNTER_MAX = 0xFFF
_VERSION_7 = 0x7 << 76
_VARIANT_RFC_9562 = 0b10 << 62


class _Sequence:
    """The last (millisecond, counter) handed out, so that no id sorts before an earlier one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def next(self) -> tuple[int, int]:
        """The next pair; a full counter, or a clock set back, borrows from the following millisecond."""
        now = time.time_ns() // 1_000_000
        with self._lock:
            if now > self._millisecond:
                self._millisecond, self._counter = now, 0
            elif self._counter < _COUNTER_MAX:
                self._counter += 1
            else:
                self._millisecond, self._counter = self._millisecond + 1, 0
            return self._millisecond, self._counter


_sequence = _Sequence()


def new_id() -> UUID:
    """Make a new UUIDv7."""
    millisecond, counter = _sequence.next()
    value = millisecond << 80 | _VERSION_7 | counter << 64 | _VARIANT_RFC_9562 | secrets.randbits(62)
    return UUID(int=value)
