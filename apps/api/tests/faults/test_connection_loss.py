"""A connection lost in mid-post or mid-commit: nothing counts twice, and nobody is told what is not so (LED-7)."""

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from random import Random

import psycopg
import pytest
from faults.books import PATIENCE_SECONDS, Books, Opened, Place, assert_books_hold, locked, read_kept, waiting_backends
from faults.proxy import Lost, Proxy, is_query, mentions
from faults.servers import engine_for
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from topcoin.infra.database.connect import Role, SessionFactory, database_url, session_factory
from topcoin.infra.database.unit_of_work import ConnectionLost, OutcomeUnknown, transaction
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.errors import PostingRefused
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.group_commit import service as group_commit
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import Journal, PostingResult, PostingStatus
from topcoin.ledger.posting.service import post

AT_COMMIT = is_query("COMMIT")
AT_ROLLBACK = is_query("ROLLBACK")
AT_POST = mentions("ledger_post")


@pytest.fixture
async def proxy(books: Books) -> AsyncGenerator[Proxy]:
    """A proxy in front of the test's database."""
    async with asyncio.timeout(PATIENCE_SECONDS), Proxy(books.app_url) as running:
        yield running


@pytest.fixture
async def proxied(database: Settings, proxy: Proxy) -> AsyncGenerator[SessionFactory]:
    """Sessions that reach the database through the proxy."""
    async with engine_for(database.model_copy(update={"database_url": SecretStr(proxy.url)})) as engine:
        yield session_factory(engine)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is back at once, so that there is no point in pausing."""
    monkeypatch.setattr(group_commit, "_PAUSE_SECONDS", 0)


def journals_for(books: Books) -> list[Journal]:
    """A journal on each of two accounts."""
    return [
        balance_adjusted(account, new_id(), Decimal(7), kind="bonus", reason="Test") for account in books.accounts[:2]
    ]


def assert_first_results(books: Books, results: list[PostingResult]) -> None:
    """The answers give the entries that the ledger holds."""
    kept = read_kept(books)
    for result in results:
        assert [Place.of(entry) for entry in result.entries] == kept[result.journal_id]


@pytest.mark.parametrize(
    ("lost", "status"), [(Lost.MESSAGE, PostingStatus.POSTED), (Lost.ANSWER, PostingStatus.DUPLICATE)]
)
async def test_group_posts_again_after_a_loss_at_the_commit(
    opened: Opened, proxy: Proxy, lost: Lost, status: PostingStatus
) -> None:
    """Whether the commit had come through is found out by posting again; either way it is there once."""
    books, journals = opened
    asked = journals_for(books)
    async with GroupCommit(proxy.url) as group:
        proxy.lose(lost, AT_COMMIT)
        results = await group.post_grouped(asked)
    assert proxy.cuts == 1
    assert [result.status for result in results] == [status] * 2
    assert_first_results(books, results)
    assert_books_hold(books, [*journals, *asked])


async def test_group_posts_again_after_a_loss_in_mid_post(opened: Opened, proxy: Proxy) -> None:
    books, journals = opened
    asked = journals_for(books)
    async with GroupCommit(proxy.url) as group:
        proxy.lose(Lost.ANSWER, AT_POST, times=2)
        results = await group.post_grouped(asked)
    assert proxy.cuts == 2
    assert [result.status for result in results] == [PostingStatus.POSTED] * 2
    assert_books_hold(books, [*journals, *asked])


async def test_group_says_that_it_does_not_know_when_every_answer_is_lost(opened: Opened, proxy: Proxy) -> None:
    """Posting the same journals again tells; and the lane that lost so many connections serves on."""
    books, journals = opened
    asked = journals_for(books)
    async with GroupCommit(proxy.url) as group:
        proxy.lose(Lost.ANSWER, AT_COMMIT, times=group_commit._ATTEMPTS)
        with pytest.raises(OutcomeUnknown):
            await group.post_grouped(asked)
        assert proxy.cuts == group_commit._ATTEMPTS
        results = await group.post_grouped(asked)
    assert [result.status for result in results] == [PostingStatus.DUPLICATE] * 2
    assert_first_results(books, results)
    assert_books_hold(books, [*journals, *asked])


async def test_group_outlives_a_loss_while_it_rolls_back(opened: Opened, proxy: Proxy) -> None:
    """What was asked is impossible, and then the connection breaks at the ROLLBACK: the next caller is served."""
    books, journals = opened
    poison, asked = journals_for(books)
    object.__setattr__(poison, "canonical_metadata", "no JSON")
    async with GroupCommit(proxy.url) as group:
        proxy.lose(Lost.MESSAGE, AT_ROLLBACK)
        with pytest.raises(PostingRefused):
            await group.post_grouped([poison])
        assert proxy.cuts == 1
        (result,) = await group.post_grouped([asked])
    assert result.status is PostingStatus.POSTED
    assert_books_hold(books, [*journals, asked])


async def test_group_posts_again_when_connecting_fails_too(opened: Opened, proxy: Proxy) -> None:
    """The connection is lost at the commit, and the next one as it begins."""
    books, journals = opened
    asked = journals_for(books)
    async with GroupCommit(proxy.url) as group:
        proxy.lose(Lost.ANSWER, AT_COMMIT)
        proxy.lose(Lost.MESSAGE, is_query("BEGIN"), times=2)
        results = await group.post_grouped(asked)
    assert proxy.cuts == 3
    assert [result.status for result in results] == [PostingStatus.DUPLICATE] * 2
    assert_books_hold(books, [*journals, *asked])


@pytest.mark.parametrize("lost", list(Lost))
async def test_transaction_says_that_it_does_not_know_after_a_loss_at_the_commit(
    opened: Opened, proxy: Proxy, proxied: SessionFactory, lost: Lost
) -> None:
    """The client cannot tell the two apart, and does not pretend to; the same command again comes to the same end."""
    books, journals = opened
    asked = journals_for(books)
    proxy.lose(lost, AT_COMMIT)
    with pytest.raises(OutcomeUnknown):
        async with transaction(proxied) as session:
            await post(session, asked)
    assert_books_hold(books, [*journals, *asked] if lost is Lost.ANSWER else journals)
    async with transaction(proxied) as session:
        results = await post(session, asked)
    status = PostingStatus.DUPLICATE if lost is Lost.ANSWER else PostingStatus.POSTED
    assert [result.status for result in results] == [status] * 2
    assert_first_results(books, results)
    assert_books_hold(books, [*journals, *asked])


@pytest.mark.parametrize("lost", list(Lost))
async def test_transaction_lost_in_mid_post_keeps_nothing(
    opened: Opened, proxy: Proxy, proxied: SessionFactory, lost: Lost
) -> None:
    books, journals = opened
    proxy.lose(lost, AT_POST)
    with pytest.raises(ConnectionLost):
        async with transaction(proxied) as session:
            await post(session, journals_for(books))
    assert proxy.cuts == 1
    assert_books_hold(books, journals)


async def test_losses_at_random_moments_under_load(opened: Opened, proxy: Proxy) -> None:
    """Every tenth message that goes to the server takes its connection with it, on its way there or back."""
    books, journals = opened
    chance = Random(7)  # noqa: S311 - a test's dice are no secret
    asked = [
        balance_adjusted(books.accounts[n % 4], new_id(), Decimal(1), kind="bonus", reason="Test") for n in range(60)
    ]
    async with GroupCommit(proxy.url, lanes=2) as group:
        for lost in Lost:
            proxy.lose(lost, lambda _: chance.random() < 0.05, times=10_000)

        async def insist(journal: Journal) -> PostingResult:
            while True:
                try:
                    (result,) = await group.post_grouped([journal])
                except OutcomeUnknown:
                    continue
                return result

        results = [await insist(journal) for journal in asked]
    assert proxy.cuts > 10
    assert {result.status for result in results} <= {PostingStatus.POSTED, PostingStatus.DUPLICATE}
    assert_first_results(books, results)
    assert_books_hold(books, [*journals, *asked])


async def terminate(books: Books, process_id: int) -> None:
    """What an operator does to a session that is in the way."""
    async with await psycopg.AsyncConnection.connect(books.app_url, autocommit=True) as connection:
        await connection.execute("SELECT pg_terminate_backend(%s)", [process_id])


async def test_group_posts_again_after_its_backend_was_terminated(opened: Opened) -> None:
    books, journals = opened
    asked = journals_for(books)
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url) as group:
        async with locked(books, books.accounts[0]):
            waiting = asyncio.create_task(group.post_grouped(asked))
            (backend,) = await waiting_backends(books)
            await terminate(books, backend)
            await waiting_backends(books, besides=[backend])
        results = await waiting
    assert [result.status for result in results] == [PostingStatus.POSTED] * 2
    assert_books_hold(books, [*journals, *asked])


async def test_transaction_says_that_its_backend_was_terminated(opened: Opened, sessions: SessionFactory) -> None:
    """Nothing is kept, and the pool hands out a connection that works to whoever comes next."""
    books, journals = opened
    asked = journals_for(books)

    async def command() -> list[PostingResult]:
        async with transaction(sessions) as session:
            return await post(session, asked)

    async with asyncio.timeout(PATIENCE_SECONDS), locked(books, books.accounts[0]):
        waiting = asyncio.create_task(command())
        (backend,) = await waiting_backends(books)
        await terminate(books, backend)
        with pytest.raises(ConnectionLost):
            await waiting
    assert_books_hold(books, journals)
    assert [result.status for result in await command()] == [PostingStatus.POSTED] * 2
    assert_books_hold(books, [*journals, *asked])


@pytest.fixture
def impatient(database: Settings, opened: Opened) -> None:
    """Statements of the database's sessions end after a tenth of a second."""
    assert opened
    with psycopg.connect(database_url(database, Role.OWNER), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET statement_timeout = '100ms'".encode())


@pytest.mark.usefixtures("impatient")
async def test_group_posts_again_after_a_statement_timeout(opened: Opened) -> None:
    books, journals = opened
    asked = journals_for(books)
    async with asyncio.timeout(PATIENCE_SECONDS), GroupCommit(books.app_url) as group:
        async with locked(books, books.accounts[0]):
            waiting = asyncio.create_task(group.post_grouped(asked))
            (backend,) = await waiting_backends(books)
            await waiting_backends(books, besides=[backend])
        results = await waiting
    assert [result.status for result in results] == [PostingStatus.POSTED] * 2
    assert_books_hold(books, [*journals, *asked])


@pytest.mark.usefixtures("impatient")
async def test_transaction_keeps_nothing_after_a_statement_timeout(opened: Opened, database: Settings) -> None:
    books, journals = opened
    async with asyncio.timeout(PATIENCE_SECONDS), engine_for(database) as engine, locked(books, books.accounts[0]):
        with pytest.raises(DBAPIError) as caught:
            async with transaction(session_factory(engine)) as session:
                await post(session, journals_for(books))
        assert isinstance(caught.value.orig, psycopg.errors.QueryCanceled)
    assert_books_hold(books, journals)
