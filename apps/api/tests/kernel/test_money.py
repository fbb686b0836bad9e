from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topcoin.kernel.money import (
    AMOUNT_MAX,
    AMOUNT_STEP,
    AmountOutOfRange,
    InvalidAmount,
    Money,
    OverPreciseAmount,
    Unit,
    UnitMismatch,
    exact_amount,
    round_amount,
    scale_amount,
)

amounts = st.decimals(min_value=-AMOUNT_MAX, max_value=AMOUNT_MAX, places=8)
units = st.sampled_from(Unit)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any)


def steps(money: Money) -> int:
    """The amount counted in the smallest steps, by integer arithmetic alone."""
    sign, digits, exponent = money.amount.as_tuple()
    assert exponent == -8
    return (-1 if sign else 1) * int("".join(map(str, digits)))


@pytest.mark.parametrize("text", ["0", "1", "-0.00000001", "12.5", "1e19", "1.10000000000", str(AMOUNT_MAX)])
def test_an_exact_amount_keeps_its_value_and_has_eight_places(text: str) -> None:
    amount = exact_amount(text)
    assert amount == Decimal(text)
    assert amount.as_tuple().exponent == -8


@pytest.mark.parametrize("text", ["0.000000001", "1.123456785", "1e-9", "1e-999999", "99999999999999999999.1234567891"])
def test_more_than_eight_places_are_refused(text: str) -> None:
    with pytest.raises(InvalidAmount):
        exact_amount(text)


@pytest.mark.parametrize("text", ["1e20", "-1e20", "1e400", "1e999999999", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_no_column_holds_is_out_of_range(text: str) -> None:
    with pytest.raises(AmountOutOfRange, match="out of range"):
        exact_amount(text)
    with pytest.raises(AmountOutOfRange):
        round_amount(Decimal(text))


@pytest.mark.parametrize("text", ["", "12,50", "one", "0x10", "1e", "1.2.3", "12\x00"])
def test_what_is_no_number_is_refused_with_the_text_in_the_message(text: str) -> None:
    with pytest.raises(InvalidAmount, match="is not an amount") as refused:
        exact_amount(text)
    assert repr(text) in refused.value.detail


def test_over_precise_says_to_which_place_to_round() -> None:
    with pytest.raises(OverPreciseAmount, match="round it to 8"):
        exact_amount("0.123456789")


@pytest.mark.parametrize(
    ("computed", "rounded"),
    [
        ("0.000000005", "0"),
        ("0.000000015", "0.00000002"),
        ("0.000000025", "0.00000002"),
        ("-0.000000015", "-0.00000002"),
        ("0.0000000050000000000000000000001", "0.00000001"),
        ("2.999999995", "3"),
        ("99999999999999999999.999999984999", "99999999999999999999.99999998"),
    ],
)
def test_rounding_is_half_to_even(computed: str, rounded: str) -> None:
    assert round_amount(Decimal(computed)) == Decimal(rounded)


def test_rounding_up_past_the_largest_amount_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        round_amount(AMOUNT_MAX + AMOUNT_STEP / 2)


def test_a_product_is_rounded_once() -> None:
    """At 28 digits, as plain `*` would, this product rounds up to a tie, and the tie away from the nearest amount."""
    amount, factor = Decimal("10000000000000000000.00000001"), Decimal("0.50000000049999999999")
    exact = Decimal("5000000004999999999.90000000500000000049999999999")
    assert scale_amount(amount, factor) == Decimal("5000000004999999999.90000001")
    assert abs(scale_amount(amount, factor) - exact) < Decimal("0.000000005")


@given(amounts)
def test_an_amount_survives_text_and_back(amount: Decimal) -> None:
    assert exact_amount(f"{exact_amount(amount):f}") == amount


@given(amounts, amounts, units)
def test_sums_are_those_of_whole_steps_or_refused(left: Decimal, right: Decimal, unit: Unit) -> None:
    one, other = Money(left, unit), Money(right, unit)
    expected = steps(one) + steps(other)
    try:
        total = one + other
    except AmountOutOfRange:
        assert abs(expected) >= 10**28
    else:
        assert steps(total) == expected
        assert total - other == one


@given(amounts, amounts)
def test_units_never_mix(left: Decimal, right: Decimal) -> None:
    real, simulated = Money.usd(left), Money.vusd(right)
    for operation in (
        lambda: real + simulated,
        lambda: simulated - real,
        lambda: real < simulated,
        lambda: real <= simulated,
        lambda: real > simulated,
        lambda: real >= simulated,
    ):
        with pytest.raises(UnitMismatch, match="never mix"):
            operation()
    assert Money.usd(left) != Money.vusd(left)


@given(amounts, amounts)
def test_money_of_one_unit_is_ordered_as_its_amounts(left: Decimal, right: Decimal) -> None:
    one, other = Money.vusd(left), Money.vusd(right)
    assert (one < other, one <= other, one == other) == (left < right, left <= right, left == right)
    assert -one == Money.vusd(-left)


@given(amounts, units, weights)
def test_a_split_conserves_the_amount_and_is_fair_to_a_step(amount: Decimal, unit: Unit, shares: list[int]) -> None:
    whole = Money(amount, unit)
    parts = whole.split(shares)
    assert sum(map(steps, parts)) == steps(whole)
    for part, weight in zip(parts, shares, strict=True):
        assert part.unit is unit
        assert abs(steps(part) * sum(shares) - steps(whole) * weight) < sum(shares)
        if not weight:
            assert not part.amount


@pytest.mark.parametrize("shares", [[], [0], [0, 0], [1, -1], [3, -1]])
def test_a_split_needs_weights(shares: list[int]) -> None:
    with pytest.raises(InvalidAmount, match="weights"):
        Money.usd(1).split(shares)


def test_the_steps_left_over_go_to_the_first_that_have_a_weight() -> None:
    parts = Money.usd("0.00000002").split([0, 1, 1, 1])
    assert [steps(part) for part in parts] == [0, 1, 1, 0]


def test_money_says_its_unit_and_never_an_exponent() -> None:
    assert str(Money.usd("0.00000001")) == "0.00000001 USD"
    assert str(Money.vusd(AMOUNT_MAX)) == "99999999999999999999.99999999 VUSD"


def test_money_is_immutable_and_refuses_inexact_amounts() -> None:
    with pytest.raises(AttributeError):
        Money.usd(1).amount = Decimal(2)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(OverPreciseAmount):
        Money(Decimal("0.000000001"), Unit.USD)


def test_the_ambient_precision_changes_no_sum() -> None:
    with localcontext() as context:
        context.prec = 5
        assert Money.usd("1234567.12345678") + Money.usd("0.00000001") == Money.usd("1234567.12345679")
        assert Money.usd("1234567.12345678").split([1, 1]) == [Money.usd("617283.56172839")] * 2
