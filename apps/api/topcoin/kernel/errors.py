"""The kinds of failure. A package's errors subclass one of these kinds and carry a stable `code`.

The kind decides how an edge answers (an HTTP status, an exit code); the code is what a program reads; the message is
what a person reads, and says what to do.
"""

from typing import ClassVar


class TopCoinError(Exception):
    """A failure that TopCoin foresaw and can explain."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(TopCoinError):
    """What was asked for does not exist, or is not the asker's to see."""

    code = "not_found"


class Conflict(TopCoinError):
    """The request is sound but clashes with what is already there."""

    code = "conflict"


class IdempotencyConflict(Conflict):
    """An id that stands for one request or journal was used before, with other content."""

    code = "idempotency_conflict"


class Forbidden(TopCoinError):
    """The actor may not do this."""

    code = "forbidden"


class Invalid(TopCoinError):
    """The input itself is wrong, whatever the state of the books."""

    code = "invalid"


class RuleBroken(TopCoinError):
    """The input is well formed, but a rule of the business refuses it in the present state."""

    code = "rule_broken"


class Unavailable(TopCoinError):
    """Something outside the request failed; the same request may succeed later."""

    code = "unavailable"
