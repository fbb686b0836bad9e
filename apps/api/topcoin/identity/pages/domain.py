"""Pages by id. Ids are UUIDv7, so the newest first is the highest first. Pure."""

from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from topcoin.kernel.pages import InvalidCursor, Page, decode_cursor, encode_cursor


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...


Item = TypeVar("Item", bound=Identified)


def page_by_id(found: Sequence[Item], limit: int) -> Page[Item]:
    """The page of what was found for it, which is one item more where there is a next page."""
    items = found[:limit]
    return Page(items, encode_cursor(str(items[-1].id)) if len(found) > limit else None)


def decode_id(cursor: str) -> UUID:
    """The id at which the page before ended. Raises InvalidCursor."""
    (text,) = decode_cursor(cursor, str)
    try:
        return UUID(str(text))
    except ValueError:
        raise InvalidCursor("this cursor is not one of ours; start again without it") from None
