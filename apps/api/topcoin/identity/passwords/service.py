"""Argon2id, by the parameters of the day.

A hash takes tens of milliseconds and 64 MiB, on purpose. So it is computed in threads, a few at a time, and those who
wait are few too: beyond that a sign-in is refused at once, before it holds a connection to the database, and everything
but sign-ins goes on undisturbed.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Final
from weakref import WeakKeyDictionary

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from topcoin.identity.errors import InvalidPassword, SignInsBusy

UNUSABLE_PASSWORD: Final = "!"  # noqa: S105 - the hash of no password
"""Stands where a user has no password: no sign-in with one succeeds."""

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 1024

AT_ONCE: Final = max(1, min(4, os.cpu_count() or 1))
"""How many hashes are computed at the same time."""

WAITING_MAX: Final = 32
"""How many sign-ins may wait for their turn: about a second's worth."""

_passwords = PasswordHash((Argon2Hasher(),))
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits, and, where its hash was made with parameters of the past, the hash to keep instead."""

    matches: bool
    rehashed: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Queue:
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    waiting: int = 0


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, in PHC form. Takes its time on purpose. Raises InvalidPassword."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidPassword(f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return _passwords.hash(password)


@asynccontextmanager
async def turn() -> AsyncGenerator[None]:
    """Wait until a password may be checked; enter before the first query. Raises SignInsBusy where too many wait."""
    queue = _queues.setdefault(asyncio.get_running_loop(), _Queue())
    if queue.turns.locked() and queue.waiting >= WAITING_MAX:
        raise SignInsBusy("too many people are signing in at this moment; try again in a few seconds")
    queue.waiting += 1
    try:
        await queue.turns.acquire()
    finally:
        queue.waiting -= 1
    try:
        yield
    finally:
        queue.turns.release()


async def check_password(password: str, hashed: str | None) -> Verdict:
    """Whether a password fits a hash, in a thread, within a `turn`.

    None, and what is the hash of no password, takes the same work as a hash that does not fit.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _check, password, hashed)


def _check(password: str, hashed: str | None) -> Verdict:
    decoy = _decoy()
    if hashed is not None:
        with suppress(UnknownHashError):
            return Verdict(*_passwords.verify_and_update(password, hashed))
    _passwords.verify(password, decoy)
    return Verdict(matches=False)


@cache
def _decoy() -> str:
    """The hash of a password that nobody knows, made with the parameters of the day."""
    return _passwords.hash(os.urandom(32))
