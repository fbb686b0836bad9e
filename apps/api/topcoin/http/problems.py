"""Every failure becomes one document (HTT-6): `application/problem+json` (RFC 9457), with a stable code and an id.

`type` is a URN of the code, `title` the code in words, `detail` what happened and what to do. Nothing of what the
server is made of is ever in it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from topcoin.http.errors import (
    BadRequest,
    DatabaseUnavailable,
    FieldError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    Overloaded,
    RequestTooLarge,
    RouteNotFound,
    codes_of,
    status_of,
)
from topcoin.http.request_ids import request_id_of
from topcoin.kernel.access import NotSignedIn
from topcoin.kernel.errors import TopCoinError, Unavailable

PROBLEM_JSON: Final = "application/problem+json"
PROBLEM_SCHEMA: Final = "Problem"

_RETRY_AFTER_SECONDS: Final = 1
_FIELDS_SHOWN_MAX: Final = 50
_PYDANTIC_PREFIXES: Final = ("Value error, ", "Assertion failed, ")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ProblemField(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Where it is, such as `body.amount` or `query.limit`.")
    message: str


class Problem(BaseModel):
    """Why a request failed (RFC 9457)."""

    type: str = Field(description="A URN of the code.")
    title: str = Field(description="The code in words.")
    status: int = Field(ge=400, le=599)
    code: str = Field(description="Stable; what a program reads.")
    detail: str = Field(description="What happened, and what to do; for people.")
    errors: list[ProblemField] | None = Field(default=None, description="The fields at fault, where some are.")
    request_id: str = Field(description="To be named to support; also in the header X-Request-ID.")


def problem_response(scope: Scope, error: TopCoinError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that failed with this error."""
    status = status_of(type(error))
    document: dict[str, Any] = {
        "type": f"urn:topcoin:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id_of(scope),
    }
    if isinstance(error, InvalidRequest) and error.errors:
        document["errors"] = [{"field": each.field, "message": each.message} for each in error.errors]
    extra = dict(headers or {})
    if isinstance(error, NotSignedIn):
        extra["WWW-Authenticate"] = 'Bearer realm="topcoin"'
    if isinstance(error, Unavailable):
        extra["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    # Escapes instead of raw characters: half a surrogate pair that a client sent must not break the answer.
    return Response(json.dumps(document), status, extra, PROBLEM_JSON)


def problem_responses(errors: Iterable[type[TopCoinError]]) -> dict[int | str, dict[str, Any]]:
    """The responses of an OpenAPI operation that these errors end in: one for each status, with its codes."""
    codes: dict[int, set[str]] = {}
    for kind in errors:
        codes.setdefault(status_of(kind), set()).update(codes_of(kind))
    return {
        status: {
            "description": ", ".join(f"`{code}`" for code in sorted(codes[status])),
            "content": {
                PROBLEM_JSON: {
                    "schema": {
                        "allOf": [
                            {"$ref": f"#/components/schemas/{PROBLEM_SCHEMA}"},
                            {"properties": {"status": {"const": status}, "code": {"enum": sorted(codes[status])}}},
                        ]
                    }
                }
            },
        }
        for status in sorted(codes)
    }


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error that TopCoin foresaw."""
    assert isinstance(error, TopCoinError)  # noqa: S101 - registered for these alone
    return problem_response(request.scope, error)


async def answer_invalid_request(request: Request, error: Exception) -> Response:
    """Answer an input that is not as the schema says; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these alone
    fields = [_field_error(each) for each in error.errors()[:_FIELDS_SHOWN_MAX]]
    return problem_response(
        request.scope, InvalidRequest("the request is not as the API's description says; see errors", fields)
    )


def _field_error(found: Mapping[str, Any]) -> FieldError:
    location = ".".join(map(str, found["loc"])).encode(errors="backslashreplace").decode()
    message = str(found.get("ctx", {}).get("error") or found["msg"])
    for prefix in _PYDANTIC_PREFIXES:
        message = message.removeprefix(prefix)
    return FieldError(location, message.encode(errors="backslashreplace").decode())


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the web framework itself refuses: no such route, a wrong method, a body that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these alone
    match error.status_code:
        case 404:
            said: TopCoinError = RouteNotFound("there is nothing at this path; see the API's description")
        case 405:
            said = MethodNotAllowed("this path exists, but not with this method; see the header Allow")
            return problem_response(request.scope, said, {"Allow": ", ".join(_methods_of(request))})
        case 413:
            said = RequestTooLarge("the body is too large; send less at once")
        case _:
            said = BadRequest("the request cannot be read; send JSON in UTF-8")
    return problem_response(request.scope, said, error.headers)


def _methods_of(request: Request) -> list[str]:
    """Every method that the path has; the web framework names those of the first route that fits."""
    routes = (context.original_route for context in iter_route_contexts(request.app.routes))
    return sorted(
        method
        for route in routes
        if isinstance(route, Route) and route.path_regex.match(request.scope["path"])
        for method in route.methods or ()
    )


async def answer_unavailable_database(request: Request, error: Exception) -> Response:
    """Answer where the database failed for no fault of the request: lost, overloaded, or others in the way."""
    if isinstance(error, PoolTimeout):
        log.error("database_pool_exhausted")
        return problem_response(request.scope, Overloaded("the service is overloaded: try again in a moment"))
    cause = error.orig if isinstance(error, DBAPIError) else error
    log.error("database_unavailable", sqlstate=getattr(cause, "sqlstate", None), error=type(cause).__name__)
    return problem_response(
        request.scope,
        DatabaseUnavailable("the database did not carry this out, and nothing was changed: try again in a moment"),
    )


def internal_error(scope: Scope) -> Response:
    """The answer to a failure that nobody foresaw."""
    return problem_response(
        scope, InternalError("something went wrong on our side; tell support the request_id if it happens again")
    )
