"""The series that the demo data are made of, and the figures that follow from them."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from topcoin.entrypoints.seed.domain import (
    CANDLE_HOURS,
    MARKETS,
    PLANS,
    DemoMarket,
    DemoPlan,
    Mark,
    chain_linked,
    demo_marks,
    hourly_candles,
)

YTD = {"Conservative": Decimal("0.055"), "Balanced": Decimal("0.128"), "Aggressive": Decimal("0.245")}


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_the_marks_of_a_plan_make_its_year_exactly(plan: DemoPlan) -> None:
    marks = demo_marks(plan)
    assert chain_linked(marks).year == YTD[plan.name]
    assert (marks[0].as_of, marks[-1].as_of) == (date(2024, 12, 31), date(2025, 12, 31))
    assert min(mark.nav for mark in marks) > 0
    assert len({mark.nav for mark in marks}) > len(marks) // 2, "the curve is no line"


def test_periods_begin_at_the_last_mark_before_them() -> None:
    marks = [
        Mark(date(2025, 9, 30), Decimal(80)),
        Mark(date(2025, 12, 31), Decimal(100)),
        Mark(date(2026, 3, 31), Decimal(110)),
        Mark(date(2026, 4, 30), Decimal(121)),
        Mark(date(2026, 5, 15), Decimal(132)),
    ]
    returns = chain_linked(marks)
    assert returns.current == Decimal("0.65")
    assert returns.year == Decimal("0.32")
    assert returns.quarter == Decimal("0.2")
    assert returns.month == Decimal("0.09090909")


def test_a_period_without_an_earlier_mark_begins_at_the_first() -> None:
    returns = chain_linked([Mark(date(2026, 2, 3), Decimal(50)), Mark(date(2026, 2, 9), Decimal(51))])
    assert (returns.current, returns.month, returns.quarter, returns.year) == (Decimal("0.02"),) * 4


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
def test_candles_are_whole_and_the_same_every_time(market: DemoMarket) -> None:
    candles = list(hourly_candles(market))
    assert len(candles) == CANDLE_HOURS
    assert candles == list(hourly_candles(market))
    for before, after in pairwise(candles):
        assert after[1] == before[4], "a candle opens where the one before closed"
    assert all(
        low <= min(opened, close) and high >= max(opened, close) for _, opened, high, low, close, _, _ in candles
    )
    assert market.start / 2 < candles[-1][4] < market.start * 2
