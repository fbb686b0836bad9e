"""The demo data as plain values, and the series they are made of. Pure.

Everything is dated by a fixed clock, so that the data are the same in any month. Series are drawn from seeded whole
numbers: the same on every machine, which figures by floating point need not be.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from topcoin.kernel.access import StaffRole
from topcoin.kernel.money import AMOUNT_STEP

OPENING: Final = datetime(2025, 12, 1, 8, 0, tzinfo=UTC)
"""When the story begins: the operator funds the wallet, people register, the customer deposits."""

CANDLES_END: Final = datetime(2026, 1, 1, tzinfo=UTC)
CANDLE_HOURS: Final = 720

MARKS_START: Final = date(2024, 12, 31)
MARKS_END: Final = date(2025, 12, 31)


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody to sign in as."""

    email: str
    password: str
    name: str
    country: str
    roles: tuple[StaffRole, ...] = ()


ADMIN: Final = DemoUser("admin@topcoin.local", "Admin123!", "Alex Admin", "DE", (StaffRole.ADMIN,))
TREASURY: Final = DemoUser(
    "treasury@topcoin.local", "Treasury123!", "Toni Treasury", "DE", (StaffRole.ADMIN, StaffRole.TREASURY)
)
CUSTOMER: Final = DemoUser("demo@topcoin.local", "Demo123!", "Demo Customer", "DE")

PEOPLE: Final = (ADMIN, TREASURY, CUSTOMER)


# -- Prices ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """An instrument, and the walk of its price: where it starts, and how far an hour goes at most, in millionths."""

    symbol: str
    name: str
    instrument_type: str
    base: str
    start: Decimal
    tick: Decimal
    hour_millionths: int
    volume: int


MARKETS: Final = (
    DemoMarket("BTC/USD", "Bitcoin", "crypto", "BTC", Decimal(80_000), Decimal("0.01"), 6_000, 900),
    DemoMarket("ETH/USD", "Ether", "crypto", "ETH", Decimal(3_200), Decimal("0.01"), 7_500, 12_000),
    DemoMarket("EUR/USD", "Euro against US dollar", "forex", "EUR", Decimal("1.08"), Decimal("0.00001"), 900, 60_000),
    DemoMarket("XAU/USD", "Gold", "commodity", "XAU", Decimal(2_600), Decimal("0.01"), 1_800, 4_000),
    DemoMarket("SPX", "S&P 500", "index", "SPX", Decimal(6_000), Decimal("0.01"), 1_500, 2_500),
)

_STEPS_AN_HOUR: Final = 12
_MILLION: Final = 1_000_000


def hourly_candles(market: DemoMarket) -> Iterator[tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal, int]]:
    """A candle for each hour: timestamp, open, high, low, close, volume, trade count.

    The price takes twelve steps an hour, in whole ticks; each candle opens where the one before closed.
    """
    draw = random.Random(f"candles of {market.symbol}")  # noqa: S311 - repeatable, not secret
    price = int(market.start / market.tick)
    step_max = market.hour_millionths // 4
    timestamp = CANDLES_END - timedelta(hours=CANDLE_HOURS)
    for _ in range(CANDLE_HOURS):
        path = [price]
        for _ in range(_STEPS_AN_HOUR):
            path.append(max(1, path[-1] + path[-1] * draw.randint(-step_max, step_max) // _MILLION))
        price = path[-1]
        trades = market.volume // 4 + draw.randrange(market.volume)
        volume = Decimal(trades * draw.randint(20, 180)).scaleb(-2)
        prices = (path[0], max(path), min(path), path[-1])
        opened, high, low, close = (each * market.tick for each in prices)
        yield timestamp, opened, high, low, close, volume, trades
        timestamp += timedelta(hours=1)


def candles_csv(market: DemoMarket) -> str:
    """The candles as an exchange would export them."""
    lines = ["timestamp,open,high,low,close,volume,trade_count"]
    for timestamp, *figures in hourly_candles(market):
        lines.append(",".join((timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"), *map(str, figures))))
    return "\n".join(lines) + "\n"


# -- Plans -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """A plan, and the walk of its net asset value: by how much the year ends higher, and how much a day swings."""

    name: str
    risk_profile: str
    year: Decimal
    swing: Decimal
    minimum: Decimal


PLANS: Final = (
    DemoPlan("Conservative", "conservative", Decimal("0.055"), Decimal("0.05"), Decimal(100)),
    DemoPlan("Balanced", "balanced", Decimal("0.128"), Decimal("0.20"), Decimal(250)),
    DemoPlan("Aggressive", "aggressive", Decimal("0.245"), Decimal("0.55"), Decimal(500)),
)

START_NAV: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Mark:
    """A plan's net asset value per unit at the end of a day."""

    as_of: date
    nav: Decimal


@dataclass(frozen=True, slots=True)
class Returns:
    """Fractions as of the last mark: since inception, and since the last mark before its month, quarter and year."""

    current: Decimal
    month: Decimal
    quarter: Decimal
    year: Decimal


def demo_marks(plan: DemoPlan) -> list[Mark]:
    """A mark for each weekday of the year: a straight line to the year's end, with swings that vanish there."""
    days = [MARKS_START + timedelta(days=number) for number in range((MARKS_END - MARKS_START).days + 1)]
    weekdays = [day for day in days if day.weekday() < 5]  # noqa: PLR2004 - Monday is 0
    draw = random.Random(f"marks of {plan.name}")  # noqa: S311 - repeatable, not secret
    walk = [0]
    for _ in weekdays[1:]:
        walk.append(walk[-1] + draw.randint(-100, 100))
    last = len(weekdays) - 1
    marks: list[Mark] = []
    for number, day in enumerate(weekdays):
        share = Decimal(number) / last
        swing = plan.swing * (walk[number] - share * walk[last]) / 100
        nav = START_NAV * (1 + plan.year * share) + swing
        marks.append(Mark(day, nav.quantize(AMOUNT_STEP, rounding=ROUND_HALF_EVEN)))
    return marks


def chain_linked(marks: Sequence[Mark]) -> Returns:
    """The returns that marks, in the order of their days, make up (P4): a period's is that of its days, linked."""
    last = marks[-1]
    first_of_month = last.as_of.replace(day=1)
    first_of_quarter = first_of_month.replace(month=(last.as_of.month - 1) // 3 * 3 + 1)
    return Returns(
        current=_linked(marks),
        month=_linked(_since(marks, first_of_month)),
        quarter=_linked(_since(marks, first_of_quarter)),
        year=_linked(_since(marks, first_of_month.replace(month=1))),
    )


def _since(marks: Sequence[Mark], first_day: date) -> Sequence[Mark]:
    """The marks from the last one before a day on; all of them where there is none."""
    before = sum(mark.as_of < first_day for mark in marks)
    return marks[max(0, before - 1) :]


def _linked(marks: Sequence[Mark]) -> Decimal:
    """The product of all growth factors, less one: what is between cancels out, so that nothing is rounded twice."""
    return (marks[-1].nav / marks[0].nav - 1).quantize(AMOUNT_STEP, rounding=ROUND_HALF_EVEN)


def equity_curve(marks: Sequence[Mark]) -> list[dict[str, str]]:
    """The series that a chart shows."""
    return [{"as_of": mark.as_of.isoformat(), "nav": f"{mark.nav:f}"} for mark in marks]
