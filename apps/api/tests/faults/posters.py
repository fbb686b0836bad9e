"""Posters: processes that post random journals, started together, listened to, killed or seen to their end.

They are forked from a process that has everything imported and nothing open, so that rounds of killing are cheap. What
a poster has told of its acknowledgements is in a pipe, and outlives it.
"""

import asyncio
import multiprocessing
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from random import Random
from threading import Condition, Thread

from faults.books import PATIENCE_SECONDS, Books
from faults.load import Acknowledgement, Doors, post_all
from sqlalchemy.ext.asyncio import create_async_engine

from topcoin.infra.database.connect import session_factory
from topcoin.ledger.group_commit.service import GroupCommit

_PROCESSES = multiprocessing.get_context("forkserver")
# The server of forks finds installed modules only; these are what takes long.
_PROCESSES.set_forkserver_preload(["psycopg", "sqlalchemy.ext.asyncio", "topcoin.ledger.group_commit.service"])


@dataclass(frozen=True, slots=True)
class Order:
    """What a poster has to do."""

    books: Books
    seed: str
    numbers: range
    lanes: int
    workers: int
    chance: str
    """What decides the doors, and the order if it is shuffled; each poster has another one."""
    shuffled: bool = False
    several_calls: float = 0.2
    """As `Doors` has it."""


def _run(order: Order, start: Connection, answers: Connection) -> None:
    asyncio.run(_post(order, start, answers))


async def _post(order: Order, start: Connection, answers: Connection) -> None:
    chance = Random(order.chance)  # noqa: S311 - a test's dice are no secret
    numbers = list(order.numbers)
    if order.shuffled:
        chance.shuffle(numbers)
    engine = create_async_engine(order.books.app_url.replace("postgresql:", "postgresql+psycopg:"))
    available = asyncio.Event()
    available.set()
    async with GroupCommit(order.books.app_url, lanes=order.lanes) as group:
        answers.send(None)
        start.recv()
        await post_all(
            Doors(session_factory(engine), group, available, order.several_calls),
            order.books,
            order.seed,
            numbers,
            chance=chance,
            workers=order.workers,
            acknowledge=answers.send,
        )
    await engine.dispose()


class Poster:
    """A poster at work. What it acknowledges is read as it comes, so that it never waits for us."""

    def __init__(self, order: Order) -> None:
        self.acknowledged: list[Acknowledgement] = []
        self._ended = False
        self._news = Condition()
        self._answers, answers = _PROCESSES.Pipe(duplex=False)
        start, self._start = _PROCESSES.Pipe(duplex=False)
        self._process: ForkServerProcess = _PROCESSES.Process(target=_run, args=(order, start, answers))
        self._process.start()
        # The poster alone holds the ends that it was given, so that its end is the end of them.
        answers.close()
        start.close()
        self._reader = Thread(target=self._read, daemon=True)

    def await_ready(self) -> None:
        """Wait until it could begin."""
        assert self._answers.poll(PATIENCE_SECONDS)
        assert self._answers.recv() is None
        self._reader.start()

    def begin(self) -> None:
        """Let it begin."""
        self._start.send(None)

    def await_acknowledged(self, count: int) -> None:
        """Wait until that many journals have been answered."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.acknowledged) >= count or self._ended, PATIENCE_SECONDS)
        assert not self._ended, "the poster ended before its time"

    def kill(self) -> list[Acknowledgement]:
        """Kill it (kill -9), and take what it had acknowledged until then."""
        self._process.kill()
        self._join()
        return self.acknowledged

    def finish(self) -> list[Acknowledgement]:
        """See it to its end, which has to be a good one, and take what it acknowledged."""
        self._join()
        assert self._process.exitcode == 0
        return self.acknowledged

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.join(PATIENCE_SECONDS)
        if self._reader.ident is not None:
            self._reader.join(PATIENCE_SECONDS)
        self._process.close()
        self._answers.close()
        self._start.close()

    def _join(self) -> None:
        self._reader.join(PATIENCE_SECONDS)
        self._process.join(PATIENCE_SECONDS)

    def _read(self) -> None:
        while True:
            try:
                answer = self._answers.recv()
            except EOFError:
                break
            with self._news:
                self.acknowledged.append(answer)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@contextmanager
def posters(*orders: Order) -> Generator[list[Poster]]:
    """Posters that have all begun; whichever is left at the end of the block is killed."""
    started: list[Poster] = []
    try:
        for order in orders:
            started.append(Poster(order))  # noqa: PERF401 - those that did start are closed, whatever the next one does
        for poster in started:
            poster.await_ready()
        for poster in started:
            poster.begin()
        yield started
    finally:
        for poster in started:
            poster.close()
