"""Money: exact decimals with eight places, each with the unit it is in. USD and VUSD never mix (promise P1)."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from enum import StrEnum
from itertools import islice
from typing import Self

from topcoin.kernel.errors import Invalid

AMOUNT_PLACES = 8
AMOUNT_PRECISION = 28
"""Amounts are NUMERIC(28, 8) everywhere: twenty digits before the point, eight behind it."""

AMOUNT_STEP = Decimal(1).scaleb(-AMOUNT_PLACES)
AMOUNT_MAX = Decimal(10) ** (AMOUNT_PRECISION - AMOUNT_PLACES) - AMOUNT_STEP

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Wide enough for every sum of amounts; a thread's own context, whatever it is set to, rounds none of them."""


class Unit(StrEnum):
    """What an amount counts: real dollars, or the simulated dollars of a virtual balance."""

    USD = "USD"
    VUSD = "VUSD"


class InvalidAmount(Invalid):
    """An amount that no ledger column could hold exactly."""

    code = "invalid_amount"


class OverPreciseAmount(InvalidAmount):
    """An amount with more places than a ledger column keeps; it is refused, never rounded behind one's back."""

    code = "over_precise_amount"


class AmountOutOfRange(InvalidAmount):
    """An amount that does not fit NUMERIC(28, 8)."""

    code = "amount_out_of_range"


class UnitMismatch(Invalid):
    """Two amounts of different units met where one unit is needed."""

    code = "unit_mismatch"


def _number(value: Decimal | str | int) -> Decimal:
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise InvalidAmount(f"{value!r} is not an amount; write a plain decimal number such as 12.50") from None
    if not number.is_finite() or number.copy_abs() > AMOUNT_MAX:
        raise AmountOutOfRange(f"{value} is out of range; amounts stay within ±{AMOUNT_MAX}")
    return number


def exact_amount(value: Decimal | str | int) -> Decimal:
    """Read an amount that needs no rounding, as a Decimal with exactly eight places.

    Refuses what is not a finite number, has more than eight places, or does not fit NUMERIC(28, 8).
    """
    number = _number(value)
    amount = number.quantize(AMOUNT_STEP, context=_EXACT)
    if amount != number:
        raise OverPreciseAmount(f"{value} has more than {AMOUNT_PLACES} decimal places; round it to {AMOUNT_PLACES}")
    return amount


def round_amount(value: Decimal) -> Decimal:
    """Round a computed amount half to even at eight places."""
    return exact_amount(_number(value).quantize(AMOUNT_STEP, context=_EXACT))


def scale_amount(amount: Decimal, factor: Decimal) -> Decimal:
    """Multiply and round once, half to even at eight places; the plain `*` would round at 28 digits before that."""
    return round_amount(_EXACT.multiply(amount, factor))


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount in one unit. Arithmetic and comparison with another unit raise UnitMismatch."""

    amount: Decimal
    unit: Unit

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", exact_amount(self.amount))

    @classmethod
    def usd(cls, amount: Decimal | str | int) -> Self:
        """Real dollars."""
        return cls(exact_amount(amount), Unit.USD)

    @classmethod
    def vusd(cls, amount: Decimal | str | int) -> Self:
        """Simulated dollars."""
        return cls(exact_amount(amount), Unit.VUSD)

    def _same_unit(self, other: "Money") -> Decimal:
        if self.unit is not other.unit:
            raise UnitMismatch(f"{self.unit} and {other.unit} never mix")
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(_EXACT.add(self.amount, self._same_unit(other)), self.unit)

    def __sub__(self, other: "Money") -> "Money":
        return Money(_EXACT.subtract(self.amount, self._same_unit(other)), self.unit)

    def __neg__(self) -> "Money":
        return Money(_EXACT.minus(self.amount), self.unit)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same_unit(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same_unit(other)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.unit}"

    def split(self, weights: list[int]) -> "list[Money]":
        """Divide by whole-number weights without losing a step: the parts add up to the whole.

        Each part is rounded towards zero at eight places; the steps left over go to the first parts that have a
        weight, one each.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise InvalidAmount("weights are whole numbers, none negative, not all zero")
        steps = int(_EXACT.scaleb(self.amount, AMOUNT_PLACES))
        sign = -1 if steps < 0 else 1
        parts = [abs(steps) * weight // total for weight in weights]
        weighty = (index for index, weight in enumerate(weights) if weight)
        for index in islice(weighty, abs(steps) - sum(parts)):
            parts[index] += 1
        return [Money(_EXACT.scaleb(Decimal(sign * part), -AMOUNT_PLACES), self.unit) for part in parts]
