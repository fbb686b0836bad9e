"""Why the frame itself refuses a request, whatever the route; and the HTTP status of every kind of error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from topcoin.kernel.access import NotSignedIn
from topcoin.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RuleBroken,
    TopCoinError,
    Unavailable,
)


class InvalidCredentials(NotSignedIn):
    """A credential was sent, and it is not good."""

    code = "invalid_credentials"


class AmbiguousCredentials(Invalid):
    """Two credentials in one request, which may be of two people."""

    code = "ambiguous_credentials"


class CsrfFailed(Forbidden):
    """An unsafe request by cookie without the session's CSRF token."""

    code = "csrf_failed"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the input; `field` is a path such as `body.lines.0.amount`."""

    field: str
    message: str


class InvalidRequest(Invalid):
    """The path, the query, the headers or the body are not as the route's schema says."""

    code = "invalid_request"

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class BadRequest(Invalid):
    """A request that is no sound HTTP."""

    code = "bad_request"


class RouteNotFound(NotFound):
    """No route has this path."""

    code = "route_not_found"


class MethodNotAllowed(Invalid):
    """The path exists, but not with this method."""

    code = "method_not_allowed"


class RequestTooLarge(Invalid):
    """The body is longer than is read."""

    code = "request_too_large"


class RequestTimedOut(Unavailable):
    """The body did not arrive in time."""

    code = "request_timed_out"


class AnswerTimedOut(Unavailable):
    """The request took too long to carry out; whether it was is not known."""

    code = "answer_timed_out"


class Overloaded(Unavailable):
    """Every connection to the database stayed in use."""

    code = "overloaded"


class DatabaseUnavailable(Unavailable):
    """The database did not carry out a statement, for no fault of the request."""

    code = "database_unavailable"


class InternalError(TopCoinError):
    """A failure that nobody foresaw. What it was is in the log, under the request's id."""

    code = "internal_error"


class IdempotencyKeyRequired(Invalid):
    """The command needs an `Idempotency-Key`, so that it can be repeated safely."""

    code = "idempotency_key_required"


class InvalidIdempotencyKey(Invalid):
    """An `Idempotency-Key` that is too long, or holds what a header should not."""

    code = "invalid_idempotency_key"


STATUSES: Final[Mapping[type[TopCoinError], int]] = MappingProxyType(
    {
        NotFound: 404,
        Conflict: 409,
        Forbidden: 403,
        Invalid: 422,
        # The state refuses, not the input: the same request may succeed later. 422 says that it never will.
        RuleBroken: 409,
        Unavailable: 503,
        NotSignedIn: 401,
        BadRequest: 400,
        MethodNotAllowed: 405,
        RequestTimedOut: 408,
        RequestTooLarge: 413,
        TopCoinError: 500,
    }
)
"""The HTTP status of each kind; an error has that of the nearest kind that it descends from."""


def status_of(kind: type[TopCoinError]) -> int:
    """The HTTP status of a class of errors."""
    return next(STATUSES[ancestor] for ancestor in kind.__mro__ if ancestor in STATUSES)


def codes_of(kind: type[TopCoinError]) -> set[str]:
    """The codes of a class of errors and of those that descend from it."""
    return {kind.code}.union(*(codes_of(heir) for heir in kind.__subclasses__()))
