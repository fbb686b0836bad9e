"""Who sends a request: by the cookie of a session, or by an API key in the `Authorization` header.

The frame takes the credentials out of the request, and asks an `Authenticator` whose they are. Identity implements it;
the entry point hands it to the application. The frame then decides what follows from the answer: 401, 403, or go on.
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from topcoin.http.errors import AmbiguousCredentials, CsrfFailed, InvalidCredentials
from topcoin.kernel.access import Access, Actor, ActorKind, NotPermitted, NotSignedIn, Permission, StaffRole
from topcoin.kernel.clock import Clock

SESSION_COOKIE: Final = "topcoin_session"
CSRF_HEADER: Final = "X-CSRF-Token"

_SCHEME: Final = "bearer"
_TOKEN_LENGTH_MAX: Final = 512
_USER_AGENT_LENGTH_MAX: Final = 512
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Principal:
    """What an authenticator knows of whoever holds a credential that is good at this moment."""

    user_id: UUID
    roles: frozenset[StaffRole] = frozenset()
    """Of the staff; a principal without any is a customer."""
    session_id: UUID | None = None
    csrf_token: str | None = None
    """What an unsafe request by this session must carry; None with an API key."""
    api_key_id: UUID | None = None
    scopes: frozenset[Permission] = frozenset()
    is_banned: bool = False
    """Who is banned keeps what `LEFT_TO_THE_BANNED` says."""

    @property
    def kind(self) -> ActorKind:
        """Customer or staff."""
        return ActorKind.STAFF if self.roles else ActorKind.CUSTOMER


class Authenticator(Protocol):
    """Tells whose a credential is.

    Each method gets a session in autocommit: every statement is a transaction of its own, which saves two exchanges
    with the database on every request, and what it notes (when a session was last seen) is kept even if the request
    then fails. None means that the credential is not good: unknown, expired, revoked, or of somebody who is banned or
    inactive. Which of these it is, nobody is told.
    """

    async def by_session(self, session: AsyncSession, clock: Clock, token: str) -> Principal | None:
        """Whose session has this token, the value of the cookie."""
        ...

    async def by_api_key(self, session: AsyncSession, clock: Clock, key: str) -> Principal | None:
        """Whose API key this is, the value of `Authorization: Bearer`."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings to prove who sends it; at most one of the two."""

    session_token: str | None = None
    api_key: str | None = None

    @property
    def is_present(self) -> bool:
        """Whether the request brings any."""
        return self.session_token is not None or self.api_key is not None


def read_credentials(connection: HTTPConnection) -> Credentials:
    """Take the credentials out of a request.

    Raises InvalidCredentials where the `Authorization` header is malformed, AmbiguousCredentials where there is a
    session's cookie beside it, since the two might be of different people.
    """
    header = connection.headers.get("Authorization")
    token = connection.cookies.get(SESSION_COOKIE) or None
    if header is None:
        return Credentials(session_token=token if token is None or _is_token(token) else None)
    if token is not None:
        raise AmbiguousCredentials("the request has both a session's cookie and an API key; send one of them")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != _SCHEME or not _is_token(key):
        raise InvalidCredentials("the Authorization header is not of the form: Bearer <api key>")
    return Credentials(api_key=key)


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _TOKEN_LENGTH_MAX and text.isascii() and text.isprintable() and " " not in text


async def find_principal(
    authenticator: Authenticator, session: AsyncSession, clock: Clock, credentials: Credentials
) -> Principal | None:
    """Whose the credentials are; None where there are none, or a session that is over.

    Raises InvalidCredentials for an API key that is not good, since a program that sends one means to be somebody.
    """
    if credentials.api_key is not None:
        principal = await authenticator.by_api_key(session, clock, credentials.api_key)
        if principal is None:
            raise InvalidCredentials("this API key is unknown, expired or revoked; make a new one")
        return principal
    if credentials.session_token is not None:
        return await authenticator.by_session(session, clock, credentials.session_token)
    return None


def check_csrf(connection: HTTPConnection, method: str, principal: Principal) -> None:
    """Raise CsrfFailed where an unsafe request by cookie lacks the session's token, which another site cannot know."""
    if method in _SAFE_METHODS or principal.session_id is None:
        return
    sent = connection.headers.get(CSRF_HEADER, "").encode("latin-1")
    if principal.csrf_token is None or not compare_digest(sent, principal.csrf_token.encode()):
        raise CsrfFailed(f"send the csrf_token of the sign-in in the header {CSRF_HEADER}")


def actor_of(connection: HTTPConnection, principal: Principal | None, request_id: str) -> Actor:
    """The actor that a request is acted on as."""
    address = connection.client.host if connection.client else None
    agent = "".join(filter(str.isprintable, connection.headers.get("User-Agent", "")))[:_USER_AGENT_LENGTH_MAX] or None
    if principal is None:
        return Actor(ActorKind.PUBLIC, ip_address=address, user_agent=agent, request_id=request_id)
    return Actor(
        principal.kind,
        user_id=principal.user_id,
        roles=principal.roles,
        session_id=principal.session_id,
        api_key_id=principal.api_key_id,
        scopes=principal.scopes,
        is_banned=principal.is_banned,
        ip_address=address,
        user_agent=agent,
        request_id=request_id,
    )


def authorize(access: Access, actor: Actor) -> None:
    """Raise NotSignedIn or NotPermitted where the actor is not one that the access admits."""
    if not access.needs_sign_in:
        return
    if not actor.is_signed_in:
        raise NotSignedIn("sign in, or send an API key as: Authorization: Bearer <api key>")
    if actor.kind not in access.actors:
        raise NotPermitted(f"this is for {' and '.join(sorted(access.actors))}")
    if access.permission is not None:
        actor.require(access.permission)
