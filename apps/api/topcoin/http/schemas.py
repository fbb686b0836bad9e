"""Types of the API's documents: exact decimals as strings, times in UTC, whole numbers that a column holds, pages."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from topcoin.http.json_bodies import BIGINT_MAX
from topcoin.kernel.money import InvalidAmount, exact_amount
from topcoin.kernel.pages import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page

Item = TypeVar("Item")
Row = TypeVar("Row")

_CURSOR_LENGTH_MAX: Final = 1024
_DECIMAL_LENGTH_MAX: Final = 64


class Schema(BaseModel):
    """A document of the API. A field that it does not know is refused, since a misspelt one would be ignored unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain_decimal(value: Any) -> Any:  # noqa: ANN401 - before validation it may be anything
    """Refuse numbers in forms that only a machine would write, and texts long enough to be an attack."""
    if isinstance(value, str) and (len(value) > _DECIMAL_LENGTH_MAX or not set(value) <= set("-0123456789.")):
        msg = 'write a plain decimal number, such as "12.50"'
        raise ValueError(msg)
    return value


def _storable(value: Decimal) -> Decimal:
    """Refuse what no column could hold exactly, in words that stay with the field."""
    try:
        return exact_amount(value)
    except InvalidAmount as error:
        raise ValueError(error.detail) from None


def _written(value: Decimal) -> str:
    """All digits, never an exponent."""
    return f"{value:f}"


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        msg = "this time is outside the years 1 to 9999 in UTC"
        raise ValueError(msg) from None


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_DECIMAL_SCHEMA: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["12.50000000"]}
_TIME_SCHEMA: Final = {"type": "string", "format": "date-time", "examples": ["2026-01-05T09:00:00Z"]}

Exact = Annotated[
    Decimal,
    BeforeValidator(_plain_decimal),
    AfterValidator(_storable),
    PlainSerializer(_written, return_type=str, when_used="json"),
    WithJsonSchema(_DECIMAL_SCHEMA),
]
"""A decimal that NUMERIC(28,8) holds: a price, a size, a ratio. In JSON a string, with all its digits, no exponent."""

Amount = Exact
"""Money, in the unit that the field's object names."""

Instant = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(_iso, return_type=str, when_used="json"),
    WithJsonSchema(_TIME_SCHEMA),
]
"""A moment, in ISO 8601 and UTC: `2026-01-05T09:00:00Z`. A time without a zone is refused."""

Integer = Annotated[int, Field(ge=-BIGINT_MAX - 1, le=BIGINT_MAX)]
"""A whole number that a bigint column holds."""

Natural = Annotated[int, Field(ge=0, le=BIGINT_MAX)]
"""A whole number from zero on that a bigint column holds."""


class PageOf(Schema, Generic[Item]):
    """Some items in order. `next_cursor` goes into the query of the next page; null at the end."""

    items: list[Item]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Row], shown: Callable[[Row], Item]) -> "PageOf[Item]":
        """The document of a page of rows, each as `shown` makes it."""
        return cls(items=[shown(row) for row in page.items], next_cursor=page.next_cursor)


CursorQuery = Annotated[
    str | None, Query(alias="cursor", max_length=_CURSOR_LENGTH_MAX, description="`next_cursor` of the page before.")
]
"""Where a page begins."""

LimitQuery = Annotated[int, Query(alias="limit", ge=1, le=PAGE_SIZE_MAX, description="How many items at most.")]
"""How many items a page has at most; give it the default `PAGE_SIZE_DEFAULT`."""

__all__ = [
    "BIGINT_MAX",
    "PAGE_SIZE_DEFAULT",
    "Amount",
    "CursorQuery",
    "Exact",
    "Instant",
    "Integer",
    "LimitQuery",
    "Natural",
    "PageOf",
    "Schema",
]
