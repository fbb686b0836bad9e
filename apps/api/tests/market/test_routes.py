"""Instruments and candles over HTTP."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient
from support.factories import insert, make_instrument
from support.http import People

from topcoin.http.routing import Router
from topcoin.infra.database.connect import SessionFactory
from topcoin.market.customer_routes import router
from topcoin.market.schemas import CandlesSchema

pytest_plugins = ["support.application"]

START = datetime(2026, 1, 5, tzinfo=UTC)
COUNT = 25


@pytest.fixture
def http_routers() -> list[Router]:
    return [router]


@pytest.fixture(autouse=True)
async def symbol(sessions: SessionFactory, people: People) -> str:
    """An instrument with a day and an hour of candles; and one that is kept up no more."""
    assert people
    async with sessions.begin() as session:
        instrument_id = await make_instrument(session, symbol="BTC/USD", name="Bitcoin")
        await make_instrument(session, symbol="OLD", is_active=False, is_tradeable=False)
        for hour in range(COUNT):
            price = Decimal(100 + hour)
            candle = {
                "instrument_id": instrument_id,
                "timeframe": "1h",
                "timestamp": START + timedelta(hours=hour),
                "open": price,
                "high": price + Decimal("0.00000001"),
                "low": price,
                "close": price,
                "volume": None if hour == 0 else Decimal("1.5"),
                "trade_count": None if hour == 0 else hour,
            }
            await insert(session, "candles", candle)
    return "BTC/USD"


async def read(client: AsyncClient, people: People, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
    """What Ada reads."""
    answer = await client.get(f"/api/v1/instruments{path}", params=query, headers=people.ada.by_session)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_list_shows_what_is_kept_up_with_exact_terms(client: AsyncClient, people: People) -> None:
    (found,) = (await read(client, people, ""))["items"]
    assert (found["symbol"], found["instrument_type"], found["quote_currency"]) == ("BTC/USD", "crypto", "USD")
    assert (found["tick_size"], found["max_leverage"]) == ("0.01000000", "10.00000000")


@pytest.mark.parametrize("path", ["/BTC/USD", "/BTC%2FUSD", "/btc/usd"])
async def test_a_symbol_with_a_slash_is_found_however_it_is_written(
    client: AsyncClient, people: People, path: str
) -> None:
    assert (await read(client, people, path))["symbol"] == "BTC/USD"
    assert len((await read(client, people, f"{path}/candles"))["items"]) == COUNT


async def test_candles_are_as_described_and_exact(client: AsyncClient, people: People) -> None:
    body = await read(client, people, "/BTC/USD/candles", timeframe="1h", start=START.isoformat(), limit=2)
    assert CandlesSchema.model_validate(body).symbol == "BTC/USD"
    assert body["items"][0] == {
        "timestamp": "2026-01-05T00:00:00Z",
        "open": "100.00000000",
        "high": "100.00000001",
        "low": "100.00000000",
        "close": "100.00000000",
        "volume": None,
        "trade_count": None,
    }
    assert body["items"][1]["volume"] == "1.50000000"


async def test_a_range_starts_at_its_start_and_ends_before_its_end(client: AsyncClient, people: People) -> None:
    start, end = START + timedelta(hours=3), START + timedelta(hours=6)
    body = await read(client, people, "/BTC/USD/candles", start=start.isoformat(), end=end.isoformat())
    assert [each["trade_count"] for each in body["items"]] == [3, 4, 5]
    assert body["next_cursor"] is None


@pytest.mark.parametrize("query", [{"start": START.isoformat()}, {}], ids=["from the start on", "the latest first"])
async def test_pages_together_are_all_candles_in_order(
    client: AsyncClient, people: People, query: dict[str, str]
) -> None:
    pages: list[list[Any]] = []
    cursor: dict[str, str] = {}
    while True:
        body = await read(client, people, "/BTC/USD/candles", limit=10, **query, **cursor)
        pages.append(body["items"])
        if body["next_cursor"] is None:
            break
        cursor = {"cursor": body["next_cursor"]}
    assert [len(page) for page in pages] == [10, 10, 5]
    in_order = pages if query else pages[::-1]
    times = [each["timestamp"] for page in in_order for each in page]
    assert times == sorted(set(times))
    assert len(times) == COUNT


async def test_a_cursor_of_another_direction_is_refused(client: AsyncClient, people: People) -> None:
    cursor = (await read(client, people, "/BTC/USD/candles", limit=10))["next_cursor"]
    query = {"start": START.isoformat(), "cursor": cursor}
    answer = await client.get("/api/v1/instruments/BTC/USD/candles", params=query, headers=people.ada.by_session)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("path", ["/NONE", "/NONE/candles", "/candles/candles"])
async def test_an_unknown_symbol_is_not_found(client: AsyncClient, people: People, path: str) -> None:
    answer = await client.get(f"/api/v1/instruments{path}", headers=people.ada.by_session)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_instrument")


@pytest.mark.parametrize(
    "query",
    [
        {"timeframe": "2h"},
        {"limit": "0"},
        {"limit": "5001"},
        {"start": "2026-01-05"},
        {"end": "0001-01-01T00:00:00+14:00"},
    ],
)
async def test_a_query_that_means_nothing_is_refused(
    client: AsyncClient, people: People, query: dict[str, str]
) -> None:
    answer = await client.get("/api/v1/instruments/BTC/USD/candles", params=query, headers=people.ada.by_session)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["", "/BTC/USD", "/BTC/USD/candles"])
async def test_signed_out_is_refused(client: AsyncClient, path: str) -> None:
    answer = await client.get(f"/api/v1/instruments{path}")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_staff_read_the_market_too(client: AsyncClient, people: People) -> None:
    answer = await client.get("/api/v1/instruments", headers=people.auditor.by_session)
    assert answer.status_code == 200
