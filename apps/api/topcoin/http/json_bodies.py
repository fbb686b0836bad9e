"""Reading JSON bodies: exactly, and nothing in them that the database could not keep.

Python's parser takes more than RFC 8259 allows (NaN), and more than PostgreSQL stores (NUL, halves of surrogate pairs,
numbers beyond bigint). What is refused here reaches no route, whether or not its schema thought of it. Numbers with a
point are read as Decimal, so that an amount sent as a number is as exact as one sent as a string.
"""

import json
from decimal import Decimal
from typing import Any, Final, NoReturn, cast

BIGINT_MAX: Final = 2**63 - 1

_NUMBER_LENGTH_MAX: Final = 64


class UnstorableJson(json.JSONDecodeError):
    """JSON that is well formed, perhaps, but holds what cannot be kept. The frame answers as to malformed JSON."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "", 0)


def read_json(body: bytes) -> Any:  # noqa: ANN401 - JSON may be anything
    """Parse a body. Raises json.JSONDecodeError, whose message says what to change."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise UnstorableJson("the body is not UTF-8; send UTF-8") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_decimal, parse_int=_read_integer)
    except RecursionError:
        raise UnstorableJson("the body is nested too deeply; flatten it") from None
    if "\\" in text or "\x00" in text:
        # Only an escape can stand for a character that UTF-8 itself does not bring.
        _check_texts(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise UnstorableJson(f"{name} is no JSON number; send a finite number")


def _read_decimal(digits: str) -> Decimal:
    if len(digits) > _NUMBER_LENGTH_MAX:
        raise UnstorableJson("a number has too many digits; shorten it")
    return Decimal(digits)


def _read_integer(digits: str) -> int:
    if len(digits) > _NUMBER_LENGTH_MAX or not -BIGINT_MAX - 1 <= (number := int(digits)) <= BIGINT_MAX:
        raise UnstorableJson("a whole number does not fit into 64 bits; send a smaller one")
    return number


def _check_texts(value: Any) -> None:  # noqa: ANN401 - JSON may be anything
    """Refuse texts, keys too, with characters that cannot be stored. Iterative, as values may be nested deeply."""
    waiting: list[Any] = [value]
    while waiting:
        match found := waiting.pop():
            case str(text):
                if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
                    raise UnstorableJson("a text holds a NUL character or half a surrogate pair; remove it")
            case dict():
                members = cast("dict[str, Any]", found)
                waiting += [*members.keys(), *members.values()]
            case list():
                waiting += cast("list[Any]", found)
            case _:
                pass
