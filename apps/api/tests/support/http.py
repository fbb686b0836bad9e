"""People who call an application under test, and the authenticator that knows them."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from httpx import Response
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import AccountKey

from topcoin.http.authentication import CSRF_HEADER, SESSION_COOKIE, Principal
from topcoin.kernel.access import Permission, StaffRole
from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id


@dataclass(frozen=True)
class Signed:
    """Somebody who can sign in, by session or by API key."""

    user_id: UUID
    account: AccountKey | None = None
    roles: frozenset[StaffRole] = frozenset()
    token: str = field(default_factory=lambda: new_id().hex)
    csrf_token: str = field(default_factory=lambda: new_id().hex)
    key: str = field(default_factory=lambda: f"tck_{new_id().hex}")
    session_id: UUID = field(default_factory=new_id)
    api_key_id: UUID = field(default_factory=new_id)
    scopes: frozenset[Permission] = frozenset(Permission)

    @property
    def by_session(self) -> dict[str, str]:
        """The headers of a browser that has signed in."""
        return {"Cookie": f"{SESSION_COOKIE}={self.token}", CSRF_HEADER: self.csrf_token}

    @property
    def by_key(self) -> dict[str, str]:
        """The headers of a program with an API key."""
        return {"Authorization": f"Bearer {self.key}"}


class People(NamedTuple):
    """Who calls."""

    ada: Signed
    ben: Signed
    auditor: Signed


class PeopleAuthenticator:
    """Knows some people by their tokens and keys."""

    def __init__(self, people: People) -> None:
        self.people = people

    async def by_session(self, session: AsyncSession, clock: Clock, token: str) -> Principal | None:  # noqa: ARG002 - the protocol's
        """Whose session has this token."""
        for each in self.people:
            if each.token == token:
                return Principal(each.user_id, each.roles, session_id=each.session_id, csrf_token=each.csrf_token)
        return None

    async def by_api_key(self, session: AsyncSession, clock: Clock, key: str) -> Principal | None:  # noqa: ARG002 - the protocol's
        """Whose API key this is."""
        for each in self.people:
            if each.key == key:
                return Principal(each.user_id, each.roles, api_key_id=each.api_key_id, scopes=each.scopes)
        return None


def problem(answer: Response) -> tuple[int, str]:
    """The status and code of an answer, which is a whole problem document."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["type"] == f"urn:topcoin:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return answer.status_code, document["code"]
