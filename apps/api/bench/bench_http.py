"""Reading over HTTP: an account, a page of its ledger and candles, beside a bare FastAPI endpoint in the same run.

    make bench-http        or        python bench/bench_http.py --seconds 2 --rounds 5

Both applications are served by uvicorn in a process of its own, one worker each, and asked in turn by the same client:
keep-alive connections over loopback, each of which sends its next request when it has its answer. TopCoin's requests
carry a session's cookie, so that signing in, the snapshot and every check are in the figures. The database is an
embedded one with the demo data, some thousand entries on the account, and is thrown away.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from topcoin.entrypoints.seed.domain import CUSTOMER
from topcoin.entrypoints.seed.service import seed_demo
from topcoin.infra.database import migrations
from topcoin.infra.database.connect import Role, create_engine_for, running_database, session_factory
from topcoin.infra.settings import Settings, load_settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting.service import post

TOPCOIN: Final = "from topcoin.entrypoints.cli.main import app; app()"
BARE: Final = """
import json, os, socket
from fastapi import FastAPI
from uvicorn import Config, Server

app = FastAPI()

@app.get("/bare")
async def bare() -> dict[str, bool]:
    return {"ok": True}

listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"url": "http://127.0.0.1:%d" % listener.getsockname()[1]}), flush=True)
Server(Config(app, log_config=None, access_log=False, ws="none")).run(sockets=[listener])
"""
ENTRIES: Final = 2_000
AIM: Final = 0.4


@dataclass(frozen=True, slots=True)
class Target:
    """Something to ask for again and again."""

    name: str
    port: int
    request: bytes


async def fill_account(settings: Settings) -> UUID:
    """Make the demo data, give the demo account a history, and return its id."""
    engine = create_engine_for(settings, Role.APP)
    try:
        async with session_factory(engine).begin() as session:
            await seed_demo(session)
            connection = await session.connection()
            found = await connection.exec_driver_sql(
                "SELECT user_id, id FROM accounts WHERE user_id IN (SELECT id FROM users WHERE email = %s)",
                (CUSTOMER.email,),
            )
            account = AccountKey(*found.one())
            amounts = (Decimal(1) if number % 2 else Decimal(-1) for number in range(ENTRIES))
            journals = [
                balance_adjusted(account, new_id(), amount, kind="equity_adjustment", reason="History")
                for amount in amounts
            ]
            for result in await post(session, journals):
                result.unwrap()
    finally:
        await engine.dispose()
    return account.account_id


@contextmanager
def serving(*arguments: str, data_dir: Path) -> Generator[int]:
    """A server in a process of its own; the port that it says on its first line."""
    with subprocess.Popen(  # noqa: S603 - this Python, and our own programs
        [sys.executable, "-c", *arguments],
        env={**os.environ, "TOPCOIN_ENV": "development", "TOPCOIN_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        url: str = json.loads(process.stdout.readline())["url"]
        yield urlsplit(url).port or 0
        process.terminate()


def sign_in(port: int) -> str:
    """The cookie of the demo customer's session."""
    connection = HTTPConnection("127.0.0.1", port)
    body = json.dumps({"email": CUSTOMER.email, "password": CUSTOMER.password})
    connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()  # noqa: PLR2004 - OK
    return (answer.getheader("Set-Cookie") or "").partition(";")[0]


def get(path: str, cookie: str = "") -> bytes:
    """A request as it goes over the wire."""
    header = f"Cookie: {cookie}\r\n" if cookie else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n".encode()


async def ask(target: Target, until: float) -> list[float]:
    """How long each answer took, on one connection, until a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    took: list[float] = []
    while (began := time.perf_counter()) < until:
        writer.write(target.request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - began)
    writer.close()
    return took


async def measure(target: Target, seconds: float, connections: int) -> tuple[float, float]:
    """Requests per second, and the median of the answers' times in milliseconds."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(ask(target, began + seconds) for _ in range(connections)))
    passed = time.perf_counter() - began
    took = [each for connection in answers for each in connection]
    return len(took) / passed, statistics.median(took) * 1000


async def run(targets: list[Target], arguments: argparse.Namespace) -> None:
    """Ask all targets in turn, round by round, and print medians and ratios to the first."""
    rates: dict[str, list[float]] = {target.name: [] for target in targets}
    waits: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        await measure(target, 0.5, arguments.connections)
    for _ in range(arguments.rounds):
        for target in targets:
            rate, wait = await measure(target, arguments.seconds, arguments.connections)
            rates[target.name].append(rate)
            waits[target.name].append(wait)
    reference = statistics.median(rates[targets[0].name])
    print(f"{arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds} s; aim: {AIM}\n")
    for name, found in rates.items():
        median, wait = statistics.median(found), statistics.median(waits[name])
        spread = f"({min(found):,.0f} to {max(found):,.0f})"
        print(f"  {name:<26} {median:>8,.0f}/s {spread:>20} {wait:8.1f} ms {median / reference:8.2f} x bare")


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="how long each target is asked in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="topcoin-bench-") as folder:
        Path(folder).chmod(0o711)
        data_dir = Path(folder) / "data"
        settings = load_settings(env="development", data_dir=data_dir)
        with running_database(settings):
            migrations.upgrade(settings)
            account_id = asyncio.run(fill_account(settings))
            with (
                serving(BARE, data_dir=data_dir) as bare,
                serving(TOPCOIN, "serve", "--port", "0", "--json", data_dir=data_dir) as port,
            ):
                cookie = sign_in(port)
                account, candles = f"/api/v1/accounts/{account_id}", "/api/v1/instruments/BTC/USD/candles"
                targets = [
                    Target("bare FastAPI endpoint", bare, get("/bare")),
                    Target("healthz (the frame alone)", port, get("/healthz")),
                    Target("account", port, get(account, cookie)),
                    Target("breakdown", port, get(f"{account}/breakdown", cookie)),
                    Target("ledger page of 50", port, get(f"{account}/ledger", cookie)),
                    Target("100 candles", port, get(f"{candles}?limit=100", cookie)),
                    Target("500 candles", port, get(candles, cookie)),
                ]
                asyncio.run(run(targets, arguments))


if __name__ == "__main__":
    main()
