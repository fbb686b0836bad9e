"""What happens around every request, routes or not: its id, its line in the log, headers, limits, the last safety net.

Plain ASGI, since each of these sees streams and failures as they are, and costs microseconds. In the order in which
they stand, the outermost first: `RequestIds`, `Observing`, `SecurityHeaders`, `UnexpectedErrors`, `TimeLimit`,
`BodyLimit`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from topcoin.http.errors import AnswerTimedOut, RequestTimedOut, RequestTooLarge
from topcoin.http.problems import internal_error, problem_response
from topcoin.http.request_ids import REQUEST_ID_HEADER, name_request

BODY_BYTES_MAX: Final = 1024 * 1024
"""How long a body may be."""

ANSWER_SECONDS_MAX: Final = 30.0
"""How long a request may take until its answer begins."""

UNMATCHED: Final = "unmatched"
"""Stands for every path that no route has, and every unknown method, so that strangers cannot multiply metrics."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_PATH_LOGGED_MAX: Final = 500
_CLIENT_GONE: Final = 499
"""What is counted where no answer began: the client went away. Other servers log the same number."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RequestIds:
    """Names the request, in the answer and in every line that is logged for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request under its name."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = name_request(scope)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_named)
            structlog.contextvars.unbind_contextvars("user_id")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, once both are over. `route` is the template, so that ids stay out of metrics."""

    method: str
    route: str
    path: str
    status: int
    seconds: float


Observer = Callable[[Exchange], None]


class Observing:
    """Tells when a request begins, and tells observers of it when it is over."""

    def __init__(self, app: ASGIApp, begin: Callable[[], None], observers: Sequence[Observer]) -> None:
        self.app = app
        self.begin = begin
        self.observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and tell of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.begin()
        begin = time.perf_counter()
        status = _CLIENT_GONE

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_observed)
        finally:
            route = getattr(scope.get("route"), "path", UNMATCHED)
            seconds = time.perf_counter() - begin
            method = scope["method"] if scope["method"] in _METHODS else UNMATCHED
            exchange = Exchange(method, route, scope["path"], status, seconds)
            for observe in self.observers:
                observe(exchange)


def log_exchange(exchange: Exchange) -> None:
    """One line for each request. The query is left out: it may hold what a log should not."""
    log.info(
        "request",
        method=exchange.method,
        # Escaped, so that a line feed in a path cannot write a line of its own.
        path=exchange.path[:_PATH_LOGGED_MAX].encode("unicode_escape").decode(),
        route=exchange.route,
        status=exchange.status,
        milliseconds=round(exchange.seconds * 1000, 1),
    )


class SecurityHeaders:
    """Sets the headers that keep a browser from doing more with an answer than was meant; a route's own come first."""

    def __init__(self, app: ASGIApp, *, is_https: bool, pages: frozenset[str] = frozenset()) -> None:
        """Serve `app`; `pages` are paths that answer with documents of their own policy."""
        self.app = app
        self.pages = pages
        self.headers = {
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        if is_https:
            self.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request with headers."""
        if scope["type"] != "http" or scope["path"] in self.pages:
            await self.app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_secured)


class UnexpectedErrors:
    """Answers what nobody foresaw with 500 and a request id; what it was goes into the log, and nowhere else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, whatever happens."""
        has_begun = False

        async def send_noticed(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noticed)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("unexpected_error")
            if has_begun:
                # Too late for another status: breaking off tells the client that what it has is not whole.
                raise
            await internal_error(scope)(scope, receive, send)


class TimeLimit:
    """Gives up a request that takes too long to be answered. An answer that has begun may take its time."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within the time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_received = False

        async def receive_noticed() -> Message:
            nonlocal is_received
            message = await receive()
            is_received = is_received or not message.get("more_body", False)
            return message

        limit = asyncio.timeout(self.seconds)

        async def send_unlimited(message: Message) -> None:
            if not limit.expired():
                limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self.app(scope, receive_noticed, send_unlimited)
        except TimeoutError:
            if not limit.expired():
                raise
            log.warning("request_timed_out", body_received=is_received)
            error = (
                AnswerTimedOut("this took too long, and may or may not have been done: look before you repeat it")
                if is_received or scope["method"] == "GET"
                else RequestTimedOut("the body took too long to arrive, and nothing was done: send it again")
            )
            await problem_response(scope, error)(scope, receive, send)


class BodyLimit:
    """Refuses bodies that are too long, before they are read if they say how long they are."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self.app = app
        self.bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body is not too long."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced[:20]) > self.bytes_max:
            error = RequestTooLarge(f"the body may have {self.bytes_max} bytes at most; send less at once")
            await problem_response(scope, error, {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.bytes_max:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_limited, send)
