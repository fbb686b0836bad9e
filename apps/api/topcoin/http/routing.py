"""The router that routes are written against. It has no way to add one that does not say who may call it (HTT-5).

    router = Router(prefix="/accounts", tags=["accounts"])

    @router.get("/{account_id}", access=customers(Permission.ACCOUNTS_READ), errors=[AccountNotFound])
    async def read_account(account_id: UUID, session: ReadSessionDep, actor: ActorDep) -> AccountSchema: ...

Before a body is read, the actor is authenticated, the CSRF token checked, and the access decided. What a route declares
is what the API's description says: actors, permission, and every error with its codes.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar, cast

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from topcoin.http.authentication import (
    CSRF_HEADER,
    actor_of,
    authorize,
    check_csrf,
    find_principal,
    read_credentials,
)
from topcoin.http.errors import (
    AmbiguousCredentials,
    AnswerTimedOut,
    BadRequest,
    CsrfFailed,
    DatabaseUnavailable,
    IdempotencyKeyRequired,
    InternalError,
    InvalidCredentials,
    InvalidIdempotencyKey,
    InvalidRequest,
    Overloaded,
    RequestTimedOut,
    RequestTooLarge,
    RouteNotFound,
)
from topcoin.http.idempotency.domain import (
    IDEMPOTENCY_HEADER,
    KEPT_HEADERS,
    KEY_LENGTH_MAX,
    REPLAYED_HEADER,
    KeptAnswer,
    input_hash,
    read_key,
)
from topcoin.http.idempotency.service import carry_out_once
from topcoin.http.json_bodies import read_json
from topcoin.http.problems import problem_responses
from topcoin.http.request_ids import request_id_of
from topcoin.http.resources import resources_of
from topcoin.infra.database.unit_of_work import ConnectionLost, OutcomeUnknown
from topcoin.kernel.access import Access, Actor, ActorKind, NotPermitted, NotSignedIn
from topcoin.kernel.errors import IdempotencyConflict, TopCoinError

API_PREFIX: Final = "/api/v1"
SESSION_SECURITY: Final = "session"
API_KEY_SECURITY: Final = "api_key"

_READING: Final = frozenset({"GET"})

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ExactRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def json(self) -> Any:  # noqa: ANN401 - JSON may be anything
        """The parsed body."""
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


class Route(APIRoute):
    """A route that declares its access and its errors, and enforces the access."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        access: Access,
        errors: Sequence[type[TopCoinError]],
        **options: Any,  # noqa: ANN401 - FastAPI's options
    ) -> None:
        self.access = access
        self.reads = set(options["methods"]) <= _READING
        self.declared_errors = (*errors, *self._errors_of_the_frame(path))
        _require_sound(f"{options['methods']} {path}", access, reads=self.reads)
        options["responses"] = {**problem_responses(self.declared_errors), **(options.get("responses") or {})}
        options["openapi_extra"] = self._description()
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, with ours around it."""
        carry_out = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                _refuse_nul(request)
                exact = ExactRequest(request.scope, request.receive)
                actor = await self._admit(exact)
                exact.state.actor = actor
                if self.access.idempotent:
                    return await _answer_once(exact, actor, carry_out)
                return await carry_out(exact)
            except TopCoinError as error:
                if not isinstance(error, self.declared_errors):
                    log.warning("undeclared_error", code=error.code, route=self.path)
                raise

        return handle

    async def _admit(self, request: Request) -> Actor:
        """The actor, if the access admits them."""
        principal = None
        if self.access.needs_sign_in:
            resources = resources_of(request)
            credentials = read_credentials(request)
            if credentials.is_present:
                async with resources.autocommit_sessions() as session:
                    principal = await find_principal(resources.authenticator, session, resources.clock, credentials)
        actor = actor_of(request, principal, request_id_of(request.scope))
        if actor.user_id is not None:
            structlog.contextvars.bind_contextvars(user_id=str(actor.user_id))
        authorize(self.access, actor)
        if principal is not None:
            check_csrf(request, request.method, principal)
        return actor

    def _errors_of_the_frame(self, path: str) -> list[type[TopCoinError]]:
        """What may go wrong on any route with such an access."""
        errors: list[type[TopCoinError]] = [
            *(InvalidRequest, BadRequest),
            *(Overloaded, DatabaseUnavailable, ConnectionLost, AnswerTimedOut, InternalError),
        ]
        if "{" in path:
            # A value with a slash or a line feed in it makes another path.
            errors.append(RouteNotFound)
        if self.access.needs_sign_in:
            errors += [NotSignedIn, InvalidCredentials, AmbiguousCredentials, NotPermitted]
        if not self.reads:
            errors += [RequestTooLarge, RequestTimedOut, OutcomeUnknown]
            errors += [CsrfFailed] if self.access.needs_sign_in else []
        if self.access.idempotent:
            errors += [IdempotencyKeyRequired, InvalidIdempotencyKey, IdempotencyConflict]
        return errors

    def _description(self) -> dict[str, Any]:
        """What the API's description says beyond what FastAPI finds in the signature."""
        access = self.access
        description: dict[str, Any] = {
            "x-access": {
                "actors": sorted(access.actors),
                "permission": access.permission,
                "audit": access.audit,
                "idempotent": access.idempotent,
            }
        }
        parameters: list[dict[str, Any]] = []
        if access.needs_sign_in:
            description["security"] = [{SESSION_SECURITY: []}, {API_KEY_SECURITY: []}]
            if not self.reads:
                parameters.append(
                    {
                        "name": CSRF_HEADER,
                        "in": "header",
                        "required": False,
                        "description": "The csrf_token of the sign-in; required with a session's cookie.",
                        "schema": {"type": "string"},
                    }
                )
        if access.idempotent:
            parameters.append(
                {
                    "name": IDEMPOTENCY_HEADER,
                    "in": "header",
                    "required": True,
                    "description": "A new random value for each new command; the same one to repeat it safely.",
                    "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
                }
            )
        if parameters:
            description["parameters"] = parameters
        return description


class Router:
    """Collects the routes of one part of the API, under `/api/v1` and a prefix of its own."""

    def __init__(self, *, prefix: str = "", tags: Sequence[str] = (), base: str = API_PREFIX) -> None:
        self.api = APIRouter(prefix=f"{base}{prefix}", tags=list(tags))

    def get(
        self,
        path: str,
        *,
        access: Access,
        errors: Sequence[type[TopCoinError]],
        **options: Any,  # noqa: ANN401 - FastAPI's
    ) -> Callable[[Endpoint], Endpoint]:
        """A route that reads."""
        return self._route("GET", path, access, errors, options)

    def post(
        self,
        path: str,
        *,
        access: Access,
        errors: Sequence[type[TopCoinError]],
        **options: Any,  # noqa: ANN401 - FastAPI's
    ) -> Callable[[Endpoint], Endpoint]:
        """A route that creates, or acts."""
        return self._route("POST", path, access, errors, options)

    def put(
        self,
        path: str,
        *,
        access: Access,
        errors: Sequence[type[TopCoinError]],
        **options: Any,  # noqa: ANN401 - FastAPI's
    ) -> Callable[[Endpoint], Endpoint]:
        """A route that sets something as a whole."""
        return self._route("PUT", path, access, errors, options)

    def patch(
        self,
        path: str,
        *,
        access: Access,
        errors: Sequence[type[TopCoinError]],
        **options: Any,  # noqa: ANN401 - FastAPI's
    ) -> Callable[[Endpoint], Endpoint]:
        """A route that changes some fields."""
        return self._route("PATCH", path, access, errors, options)

    def delete(
        self,
        path: str,
        *,
        access: Access,
        errors: Sequence[type[TopCoinError]],
        **options: Any,  # noqa: ANN401 - FastAPI's
    ) -> Callable[[Endpoint], Endpoint]:
        """A route that removes, revokes or cancels."""
        return self._route("DELETE", path, access, errors, options)

    def _route(
        self, method: str, path: str, access: Access, errors: Sequence[type[TopCoinError]], options: dict[str, Any]
    ) -> Callable[[Endpoint], Endpoint]:
        def add(endpoint: Endpoint) -> Endpoint:
            self.api.add_api_route(
                path,
                endpoint,
                methods=[method],
                operation_id=endpoint.__name__,
                route_class_override=cast("type[APIRoute]", partial(Route, access=access, errors=errors)),
                **options,
            )
            return endpoint

        return add


def _require_sound(route: str, access: Access, *, reads: bool) -> None:
    """Refuse, when the application is built, what is declared against the rules of the house."""
    if reads and access.idempotent:
        msg = f"{route} only reads, and needs no idempotency key"
        raise ValueError(msg)
    if reads and access.permission is not None and not access.permission.only_reads:
        msg = f"{route} only reads, but its permission {access.permission} is one to change things"
        raise ValueError(msg)
    if not reads and access.permission is not None and access.permission.only_reads:
        msg = f"{route} changes things, but its permission {access.permission} is one to read"
        raise ValueError(msg)
    if not reads and ActorKind.STAFF in access.actors and access.audit is None:
        msg = f"{route} is for staff and changes things, so it must name its audit action"
        raise ValueError(msg)


def _refuse_nul(request: Request) -> None:
    """Refuse what no text in the database can hold, before any route meets it."""
    query: bytes = request.scope["query_string"]
    if "\x00" in request.scope["path"] or b"%00" in query or b"\x00" in query:
        raise InvalidRequest("the address holds a NUL character; remove it")


async def _answer_once(request: Request, actor: Actor, carry_out: Handler) -> Response:
    """Carry a command out under its idempotency key, or repeat the answer that it had."""
    assert actor.user_id is not None  # noqa: S101 - an idempotent access needs a sign-in
    key = read_key(request.headers.getlist(IDEMPOTENCY_HEADER))

    async def command(session: Any) -> KeptAnswer:  # noqa: ANN401 - handed on as it is
        request.state.session = session
        answer = await carry_out(request)
        headers = {name: value for name, value in answer.headers.items() if name in KEPT_HEADERS}
        return KeptAnswer(answer.status_code, headers, bytes(answer.body))

    resources = resources_of(request)
    answer, is_repeated = await carry_out_once(
        resources.sessions,
        resources.clock,
        user_id=actor.user_id,
        key=key,
        input_hash=input_hash(request.method, request.url.path, request.scope["query_string"], await request.body()),
        command=command,
    )
    headers = {**answer.headers, REPLAYED_HEADER: "true"} if is_repeated else answer.headers
    return Response(answer.body, answer.status_code, headers)
