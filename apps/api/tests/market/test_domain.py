from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from topcoin.market.domain import InstrumentType, NewInstrument, Timeframe, usual_terms
from topcoin.market.errors import InvalidInstrument, TimeframesIncompatible, UnknownTimeframe

INDEX_TERMS = usual_terms(InstrumentType.INDEX)
SPX = NewInstrument("SPX", "S&P 500", InstrumentType.INDEX, "SPX", "USD", INDEX_TERMS)


def test_a_week_starts_on_monday_in_utc_whatever_the_offset() -> None:
    sunday_evening_in_new_york = datetime(2024, 3, 10, 23, 30, tzinfo=timezone(timedelta(hours=-4)))
    start = Timeframe.W1.start_of(sunday_evening_in_new_york)
    assert start == datetime(2024, 3, 11, tzinfo=UTC)
    assert Timeframe.W1.start_of(start) == start
    assert Timeframe.W1.start_of(start - timedelta(microseconds=1)) == datetime(2024, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize("timeframe", Timeframe)
def test_times_before_the_origin_round_down_too(timeframe: Timeframe) -> None:
    moment = datetime(1929, 10, 24, 13, 37, 42, tzinfo=UTC)
    start = timeframe.start_of(moment)
    assert start <= moment < start + timeframe.duration
    assert timeframe.start_of(start) == start


def test_timeframes_go_from_short_to_long_and_each_fills_the_next() -> None:
    ladder = list(Timeframe)
    for position, source in enumerate(ladder):
        for target in ladder[position + 1 :]:
            source.require_aggregates_into(target)
        for target in ladder[: position + 1]:
            with pytest.raises(TimeframesIncompatible):
                source.require_aggregates_into(target)


def test_an_unknown_timeframe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownTimeframe, match=r"'2h' is not a timeframe; use one of 1m, 5m, 15m, 1h, 4h, 1d, 1w"):
        Timeframe.named("2h")
    assert Timeframe.named("4h") is Timeframe.H4


@pytest.mark.parametrize("kind", InstrumentType)
def test_usual_terms_leave_room_between_initial_and_maintenance_margin(kind: InstrumentType) -> None:
    terms = usual_terms(kind)
    assert terms.maintenance_margin_pct < 100 / terms.max_leverage


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_size": Decimal(0)}, "min_size must be above zero"),
        ({"size_step": Decimal(0)}, "size_step must be above zero"),
        ({"tick_size": Decimal(-1)}, "tick_size must be above zero"),
        ({"contract_size": Decimal(0)}, "contract_size must be above zero"),
        ({"max_size": Decimal("0.05")}, "max_size must not be below min_size"),
        ({"min_size": Decimal("0.15")}, "min_size must be a multiple of size_step"),
        ({"max_size": Decimal("1.05")}, "max_size must be a multiple of size_step"),
        ({"spread": Decimal("-0.01")}, "spread must not be below zero"),
        ({"commission_pct": Decimal("100.01")}, "commission_pct must be between 0 and 100"),
        ({"max_leverage": Decimal("0.5")}, "max_leverage must be between 1 and 1000"),
        ({"max_leverage": Decimal(1001)}, "max_leverage must be between 1 and 1000"),
        ({"maintenance_margin_pct": Decimal("5.01")}, "at most the initial margin"),
        ({"maintenance_margin_pct": Decimal(0)}, "must be above zero"),
        ({"trading_calendar": " "}, "trading_calendar must not be blank"),
        ({"financing_long_pct": Decimal("-100.01")}, "financing_long_pct must be between -100 and 100"),
        ({"financing_short_pct": Decimal(101)}, "financing_short_pct must be between -100 and 100"),
    ],
)
def test_terms_that_contradict_one_another_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInstrument, match=said):
        replace(INDEX_TERMS, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "spx"},
        {"symbol": ""},
        {"symbol": "/BTC"},
        {"symbol": "S" * 33},
        {"symbol": "SPX\n"},
        {"name": " "},
        {"base_currency": "x"},
        {"quote_currency": "US$"},
        {"quote_currency": "U" * 13},
    ],
)
def test_codes_that_no_instrument_can_have_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInstrument):
        replace(SPX, **changes)
