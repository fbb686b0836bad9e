"""Keyset pages: a page ends with an opaque cursor that names the row it stopped at, never a row number."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from topcoin.kernel.errors import Invalid

Item = TypeVar("Item")

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500

_BIGINT_END = 2**63


class InvalidCursor(Invalid):
    """A cursor that this server did not hand out."""

    code = "invalid_cursor"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows in order, and the cursor of the next page, or None at the end."""

    items: Sequence[Item]
    next_cursor: str | None


def encode_cursor(*key: str | int) -> str:
    """Pack the key of the last row shown."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type[str] | type[int]) -> tuple[str | int, ...]:
    """Unpack a cursor whose parts must be of the given kinds."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds) or not all(map(_is_storable, key)):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        raise InvalidCursor("this cursor is not one of ours; start again without it")
    return tuple(key)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _is_storable(part: str | int) -> bool:
    """Whether a column could hold the part; what no row can hold, no server has put into a cursor."""
    if isinstance(part, int):
        return -_BIGINT_END <= part < _BIGINT_END
    return "\x00" not in part and not any("\ud800" <= character <= "\udfff" for character in part)
