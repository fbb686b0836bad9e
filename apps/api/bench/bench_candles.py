"""Candles: importing a year of minutes against plain COPY, and reading 1,000 from a small and a large table.

    make bench-candles        or        python bench/bench_candles.py --rows 10000000 --reads 300

Everything runs in an embedded database of its own, which is thrown away. The reference is COPY of the same rows, in
the same run, into a table with the same key, CHECKs and foreign key. Reads go through the service, over candles that
were written as a live feed writes them: in the order of time, instruments in turn.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import polars as pl
import psycopg

from topcoin.infra.database import migrations
from topcoin.infra.database.connect import (
    Role,
    SessionFactory,
    create_engine_for,
    database_url,
    running_database,
    session_factory,
)
from topcoin.infra.database.unit_of_work import transaction
from topcoin.infra.settings import Settings, load_settings
from topcoin.market import service
from topcoin.market.candle_files import read_candle_file
from topcoin.market.domain import InstrumentType, NewInstrument, Timeframe, usual_terms

START: Final = datetime(2010, 1, 4, tzinfo=UTC)
INSTRUMENTS: Final = 10
PAGE: Final = 1_000

_COLUMNS: Final = 'instrument_id, timeframe, "timestamp", open, high, low, close, volume, trade_count'
_FILL: Final = f"""
INSERT INTO candles ({_COLUMNS})
SELECT
    instrument.id, '1m', %(start)s + minute * interval '1 minute',
    p, p + 1.25, p - 1.25, p + 0.5, 10 + p, minute %% 50
FROM generate_series(0, %(minutes)s - 1) AS minute
CROSS JOIN LATERAL (SELECT round((500 + 100 * sin(minute / 1000.0))::numeric, 2) AS p) AS price
CROSS JOIN (SELECT id FROM instruments WHERE symbol LIKE 'READ%%') AS instrument
"""  # noqa: S608 - constants only


def random_walk(rows: int) -> pl.DataFrame:
    """Minutes of a seeded random walk, as an exchange would export them."""
    generator = random.Random(1)
    close, closes = 40_000.0, list[float]()
    for _ in range(rows):
        close *= 1 + generator.gauss(0, 0.0004)
        closes.append(round(close, 2))
    frame = pl.DataFrame({"close": closes}).with_row_index("minute")
    opened = pl.col("close").shift(1, fill_value=40_000.0)
    return frame.select(
        (pl.lit(START) + pl.duration(minutes=pl.col("minute"))).dt.to_string("%Y-%m-%dT%H:%M:%SZ").alias("timestamp"),
        opened.alias("open"),
        (pl.max_horizontal(opened, "close") + 3.5).round(2).alias("high"),
        (pl.min_horizontal(opened, "close") - 3.5).round(2).alias("low"),
        pl.col("close"),
        (pl.col("minute") % 997 / 8).alias("volume"),
        (pl.col("minute") % 61).alias("trade_count"),
    )


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """How long some work takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def show(name: str, figures: Sequence[float], reference: float | None = None) -> None:
    """One line of the report: median, spread and ratio, in seconds."""
    median = statistics.median(figures)
    ratio = "" if reference is None else f"{median / reference:8.2f} x COPY"
    print(f"  {name:<44} {median:8.3f} s  ({min(figures):.3f} to {max(figures):.3f}) {ratio}")


async def new_instrument(sessions: SessionFactory, symbol: str) -> UUID:
    """An instrument to hang candles on."""
    new = NewInstrument(symbol, symbol, InstrumentType.CRYPTO, "BTC", "USD", usual_terms(InstrumentType.CRYPTO))
    async with transaction(sessions) as session:
        return (await service.create_instrument(session, new, at=START)).id


def plain_copy(owner: psycopg.Connection, instrument_id: UUID, rows: pl.DataFrame) -> float:
    """COPY the same rows into a table like `candles`, and how long that takes with its commit."""
    key = (pl.lit(str(instrument_id)).alias("instrument_id"), pl.lit("1m").alias("timeframe"))
    lines = rows.select(*key, pl.all()).write_csv(include_header=False).encode()
    owner.execute("DROP TABLE IF EXISTS copied")
    owner.execute(
        "CREATE TABLE copied (LIKE candles INCLUDING ALL, FOREIGN KEY (instrument_id) REFERENCES instruments)"
    )
    owner.commit()
    began = time.perf_counter()
    with owner.cursor() as cursor, cursor.copy(f"COPY copied ({_COLUMNS}) FROM STDIN (FORMAT csv)") as copy:
        copy.write(lines)
    owner.commit()
    return time.perf_counter() - began


async def bench_import(
    sessions: SessionFactory, owner: psycopg.Connection, rows: int, rounds: int, folder: Path
) -> None:
    """Import, import again, aggregate; beside COPY, in turn."""
    walk = random_walk(rows)
    path = folder / "minutes.csv"
    walk.write_csv(path)
    took: dict[str, list[float]] = {}
    for turn in range(rounds):
        instrument_id = await new_instrument(sessions, f"IMPORT{turn}")
        took.setdefault("copy", []).append(plain_copy(owner, instrument_id, walk))

        async def run_import(to: UUID = instrument_id) -> None:
            file = await asyncio.to_thread(read_candle_file, path, Timeframe.M1)
            async with transaction(sessions) as session:
                await service.import_candles(session, to, file, imported_by="bench", at=START)

        async def run_aggregation(target: Timeframe, of: UUID = instrument_id) -> None:
            async with transaction(sessions) as session:
                await service.aggregate_candles(session, of, Timeframe.M1, target)

        took.setdefault("import", []).append(await seconds(run_import))
        took.setdefault("again", []).append(await seconds(run_import))
        for target in (Timeframe.M5, Timeframe.H1, Timeframe.W1):
            took.setdefault(target, []).append(await seconds(lambda target=target: run_aggregation(target)))
    reference = statistics.median(took["copy"])
    print(f"Import of {rows:,} candles of 1m from CSV ({path.stat().st_size / 1e6:.1f} MB), {rounds} rounds")
    show("plain COPY, same key, CHECKs, foreign key", took["copy"])
    show("import: read, check, write, commit", took["import"], reference)
    show("the same file again (nothing changes)", took["again"], reference)
    for target in (Timeframe.M5, Timeframe.H1, Timeframe.W1):
        show(f"aggregation 1m to {target}", took[target], reference)


def fill(owner: psycopg.Connection, rows: int) -> None:
    """Replace all candles by this many, spread over the instruments to be read."""
    key = "ALTER TABLE candles {} CONSTRAINT pk_candles"
    owner.execute("TRUNCATE candles")
    owner.execute(key.format("DROP"))
    owner.execute("SET maintenance_work_mem = '256MB'")
    owner.execute(_FILL, {"start": START, "minutes": rows // INSTRUMENTS})
    owner.execute(key.format("ADD") + ' PRIMARY KEY (instrument_id, timeframe, "timestamp")')
    owner.commit()
    owner.autocommit = True
    owner.execute("VACUUM (ANALYZE) candles")
    owner.autocommit = False


async def bench_reads(sessions: SessionFactory, owner: psycopg.Connection, sizes: Sequence[int], reads: int) -> None:
    """Ranges of 1,000 at random places, in tables of growing size."""
    ids = [await new_instrument(sessions, f"READ{number}") for number in range(INSTRUMENTS)]
    medians: list[float] = []
    for size in sizes:
        fill(owner, size)
        minutes = size // INSTRUMENTS
        generator = random.Random(2)
        took: list[float] = []
        async with transaction(sessions) as session:
            for _ in range(reads):
                start = START + timedelta(minutes=generator.randrange(max(1, minutes - PAGE)))
                instrument_id = generator.choice(ids)
                began = time.perf_counter()
                found = await service.read_candles(session, instrument_id, Timeframe.M1, start=start, limit=PAGE)
                took.append(time.perf_counter() - began)
                if len(found) != PAGE:
                    msg = f"read {len(found)} candles instead of {PAGE}"
                    raise RuntimeError(msg)
        took.sort()
        medians.append(statistics.median(took))
        p99 = took[int(len(took) * 0.99)]
        growth = f"{medians[-1] / medians[0]:6.2f} x the first" if len(medians) > 1 else ""
        print(f"  {size:>12,} candles: median {medians[-1] * 1e3:7.2f} ms, p99 {p99 * 1e3:7.2f} ms {growth}")


async def run(settings: Settings, arguments: argparse.Namespace, folder: Path) -> None:
    """Both benches on one migrated database."""
    engine = create_engine_for(settings, Role.APP)
    try:
        with psycopg.connect(database_url(settings, Role.OWNER)) as owner:
            sessions = session_factory(engine)
            await bench_import(sessions, owner, arguments.imported, arguments.rounds, folder)
            print(f"Reads of {PAGE:,} candles at random places, {arguments.reads} each")
            await bench_reads(sessions, owner, (max(arguments.rows // 100, 20_000), arguments.rows), arguments.reads)
    finally:
        await engine.dispose()


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imported", type=int, default=525_600, help="candles in the imported file")
    parser.add_argument("--rounds", type=int, default=3, help="how often to import")
    parser.add_argument("--rows", type=int, default=10_000_000, help="candles in the large table")
    parser.add_argument("--reads", type=int, default=300, help="ranges read from each table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="topcoin-bench-") as folder:
        settings = load_settings(env="test", data_dir=Path(folder) / "data")
        with running_database(settings, {"max_wal_size": "4GB"}):
            migrations.upgrade(settings)
            asyncio.run(run(settings, arguments, Path(folder)))


if __name__ == "__main__":
    main()
