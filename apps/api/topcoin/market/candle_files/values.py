"""One cell of a file, read exactly: a number as a Decimal, a time as a moment in UTC. Pure.

These functions define what is accepted. Whole columns are read by `columns`, which leaves to them every cell that is
not of the plainest shape.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from topcoin.kernel.money import AMOUNT_PLACES, AMOUNT_PRECISION

_INTEGER_DIGITS_MAX: Final = AMOUNT_PRECISION - AMOUNT_PLACES
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_UNIX_TIME: Final = re.compile(r"(-?\d+)(?:\.0*)?", re.ASCII)
_DATE_WITHOUT_DASHES: Final = re.compile(r"\d{8}", re.ASCII)
_PART_OF_A_SECOND: Final = re.compile(r":\d\d[.,]\d*[1-9]", re.ASCII)
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

UNIX_SECONDS_END: Final = 10**11
"""Unix times below this are seconds (the year 5138), the others milliseconds (from March 1973 on)."""


class BadValue(ValueError):
    """What is wrong with a cell, as the end of a sentence that begins with its column and text."""


def read_number(text: str) -> Decimal:
    """Read a decimal number of at most 20 digits before the point and 8 behind it (MKT-5), or raise BadValue."""
    if text.lstrip("+-").lower() in {"nan", "inf", "infinity"}:
        raise BadValue("is not a finite number")
    if not _NUMBER.fullmatch(text):
        raise BadValue("is not a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BadValue("is not a number") from None
    if number == 0:
        return Decimal(0)
    if number.adjusted() >= _INTEGER_DIGITS_MAX:
        raise BadValue(f"has more than {_INTEGER_DIGITS_MAX} digits before the point")
    digits = number.as_tuple()
    zeros_behind = len(digits.digits) - len("".join(map(str, digits.digits)).rstrip("0"))
    if isinstance(digits.exponent, int) and -digits.exponent - zeros_behind > AMOUNT_PLACES:
        raise BadValue(f"has more than {AMOUNT_PLACES} decimal places")
    return number


def read_timestamp(text: str) -> datetime:
    """Read a time in ISO 8601, a date, or Unix seconds or milliseconds, or raise BadValue.

    Eight digits are a date, as ISO 8601 writes it without dashes. A time without an offset is in UTC.
    """
    if _PART_OF_A_SECOND.search(text):
        raise BadValue("has a part of a second, where no candle starts")
    unix_time = None if _DATE_WITHOUT_DASHES.fullmatch(text) else _UNIX_TIME.fullmatch(text)
    try:
        if unix_time:
            ticks = int(unix_time[1])
            return _UNIX_EPOCH + ticks * timedelta(milliseconds=1000 if abs(ticks) < UNIX_SECONDS_END else 1)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise BadValue("is out of range; Unix times are seconds or milliseconds") from None
    except ValueError:
        raise BadValue("is neither an ISO 8601 time, nor a date, nor Unix seconds or milliseconds") from None
