"""People with passwords, who can sign in."""

from functools import cache
from typing import NamedTuple
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from support.factories import make_user

from topcoin.infra.database.connect import SessionFactory

QUICK_PASSWORDS = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
"""Argon2id that takes no time, for tests of something else."""


class Person(NamedTuple):
    """A user, and what they sign in with."""

    user_id: UUID
    email: str
    password: str


@cache
def hashed(password: str) -> str:
    """The hash of a password."""
    return QUICK_PASSWORDS.hash(password)


async def make_person(sessions: SessionFactory, name: str, **changes: object) -> Person:
    """A user with a password, committed."""
    email, password = f"{name}@example.com", f"{name}'s password"
    async with sessions() as session, session.begin():
        user_id = await make_user(session, **{"email": email, "hashed_password": hashed(password), **changes})
    return Person(user_id, email, password)
