"""kill -9 of those who post, and of PostgreSQL itself: what was acknowledged is kept, and nothing twice (LED-7).

`TOPCOIN_SOAK_ROUNDS` says how often; without it the tests are content with a few rounds.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from random import Random

from faults.books import (
    PATIENCE_SECONDS,
    Books,
    Opened,
    Place,
    assert_books_hold,
    assert_verified,
    open_books,
    read_kept,
)
from faults.load import JOURNALS_PER_UNIT_MAX, Acknowledgement, Doors, draw_journal, post_all
from faults.posters import Order, posters
from faults.servers import engine_for, own_server

from topcoin.infra.database.connect import session_factory
from topcoin.kernel.ids import new_id
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import Journal, PostingStatus

WORKERS = 6
KEPT = {PostingStatus.POSTED, PostingStatus.DUPLICATE}


def rounds(otherwise: int) -> int:
    """How many rounds to go."""
    return int(os.environ.get("TOPCOIN_SOAK_ROUNDS", otherwise))


def places_acknowledged(acknowledged: Iterable[Acknowledgement]) -> dict[int, list[Place]]:
    """Where the answers say that journals stand; no two may differ."""
    places: dict[int, list[Place]] = {}
    for answer in acknowledged:
        if answer.status in KEPT:
            assert places.setdefault(answer.number, answer.places) == answer.places
    return places


async def post_again(books: Books, seed: str, numbers: Sequence[int]) -> dict[int, tuple[Journal, Acknowledgement]]:
    """Post everything that may have been asked for, in one request: what comes of it is what the ledger holds."""
    drawn = [draw_journal(books, seed, number) for number in numbers]
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url) as group:
        results = await group.post_grouped(drawn)
    return {
        number: (journal, Acknowledgement.of(number, result))
        for number, journal, result in zip(numbers, drawn, results, strict=True)
        if result.status in KEPT
    }


async def test_killed_posters_lose_nothing_that_they_acknowledged(opened: Opened) -> None:
    """Two processes post the same journals until they are killed in mid-work; somebody else takes their work up."""
    books, journals = opened
    seed = str(new_id())
    chance = Random(seed)  # noqa: S311 - a test's dice are no secret
    first = 0
    for _ in range(rounds(otherwise=6)):
        orders = [
            Order(books, seed, range(first, first + 10_000), lanes, WORKERS, chance=str(chance.random()))
            for lanes in (1, 2)
        ]
        acknowledged: list[Acknowledgement] = []
        with posters(*orders) as processes:
            for process in processes:
                await asyncio.to_thread(process.await_acknowledged, chance.randint(1, 80))
                acknowledged += process.kill()

        taken_max = max(answer.number for answer in acknowledged) + WORKERS * JOURNALS_PER_UNIT_MAX
        kept = await post_again(books, seed, range(first, taken_max + 1))
        for number, places in places_acknowledged(acknowledged).items():
            assert number in kept, "lost"
            _, answer = kept[number]
            assert (answer.status, answer.places) == (PostingStatus.DUPLICATE, places)
        journals += [journal for journal, _ in kept.values()]
        assert_books_hold(books, journals)
        first = taken_max + 1


def assert_kept(books: Books, seed: str, acknowledged: Iterable[Acknowledgement]) -> None:
    """What was acknowledged stands in the ledger, and where the answer said."""
    places = places_acknowledged(acknowledged)
    kept = read_kept(books)
    for number in places:
        assert kept.get(draw_journal(books, seed, number).journal_id) == places[number], "lost, or written anew"


class Progress:
    """What has been acknowledged, and a way to wait for more."""

    def __init__(self) -> None:
        self.acknowledged: list[Acknowledgement] = []
        self._goal = 0
        self._reached = asyncio.Event()

    def acknowledge(self, answer: Acknowledgement) -> None:
        """Take note of an answer."""
        self.acknowledged.append(answer)
        if len(self.acknowledged) >= self._goal:
            self._reached.set()

    async def more(self, number: int) -> None:
        """Wait for that many further answers."""
        self._goal = len(self.acknowledged) + number
        self._reached.clear()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reached.wait()


def numbers_until(stopped: Callable[[], bool], chance: Random) -> Iterator[int]:
    """Rising numbers, of which some come twice, and others are those of journals posted long ago."""
    for number in count():
        if stopped():
            return
        yield number
        if chance.random() < 0.3:
            yield chance.randint(0, number)


async def test_killed_database_loses_nothing_that_was_acknowledged() -> None:
    """One door, opened once, serves through all crashes; its callers repeat what they were not told the outcome of."""
    seed = str(new_id())
    chance = Random(seed)  # noqa: S311 - a test's dice are no secret
    progress, available, stop = Progress(), asyncio.Event(), asyncio.Event()
    available.set()
    with own_server() as server:
        async with engine_for(server.settings) as engine:
            sessions = session_factory(engine)
            books, journals = await open_books(server.settings, sessions)
            async with GroupCommit(books.app_url, lanes=2) as group, asyncio.TaskGroup() as tasks:
                load = post_all(
                    Doors(sessions, group, available, several_calls=0.2),
                    books,
                    seed,
                    numbers_until(stop.is_set, chance),
                    chance=chance,
                    workers=WORKERS,
                    acknowledge=progress.acknowledge,
                )
                tasks.create_task(load)
                for _ in range(rounds(otherwise=4)):
                    await progress.more(chance.randint(1, 100))
                    available.clear()
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.recover)
                    assert_kept(books, seed, progress.acknowledged)
                    assert_verified(books)
                    available.set()
                await progress.more(1)
                stop.set()
        assert server.log().count("automatic recovery in progress") == rounds(otherwise=4)
        posted = places_acknowledged(progress.acknowledged)
        assert_books_hold(books, [*journals, *(draw_journal(books, seed, number) for number in posted)])
