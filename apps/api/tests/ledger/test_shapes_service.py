"""LED-8: a journal has the shape of its event, in the database and in `verify`; and what the writer takes from whom."""

import asyncio
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.books import Books, adjusting, adjustment_line

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.chart.domain import AnyBook, Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.checking.functions import FUNCTION_HASHES
from topcoin.ledger.checking.service import verify
from topcoin.ledger.errors import WrongEventShape
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting.domain import Journal, Line, PostingStatus, Reference
from topcoin.ledger.posting.service import post

D = Decimal


def line(kind: EntryType, book: AnyBook, contra: AnyBook, amount: int, wallet: UUID | None = None) -> Line:
    return Line(kind, book, contra, D(amount), wallet)


def journal(account: AccountKey, reference: tuple[ReferenceType, str], *lines: Line) -> Journal:
    return Journal(new_id(), account.user_id, account.account_id, "Of some shape", Reference(*reference), lines)


PROTECTION = (EntryType.PROTECTION, Book.VIRTUAL, HouseBook.SIMULATED_PROTECTION)
WRITE_OFF = (EntryType.CORRECTION_WRITEOFF, Book.VIRTUAL, HouseBook.CORRECTION_WRITEOFF)
APPROVED = (EntryType.PROFIT_APPROVAL, Book.PROFIT, HouseBook.OPERATOR_FUNDS)
REDEEMED = (EntryType.PROFIT_APPROVAL, Book.VIRTUAL, HouseBook.VIRTUAL_REDEEMED)
ADJUSTMENT = (ReferenceType.ADMIN_ADJUSTMENT, "a")
POSITION = (ReferenceType.POSITION, "p")


@pytest.mark.parametrize(
    ("reference", "misshapen", "sound"),
    [
        (POSITION, [line(*PROTECTION, 5)], None),
        (ADJUSTMENT, [line(*WRITE_OFF, 5)], [line(*WRITE_OFF, 5), adjustment_line(-5)]),
        (ADJUSTMENT, [line(*WRITE_OFF, 6), adjustment_line(-5)], [line(*WRITE_OFF, 4), adjustment_line(-5)]),
        (ADJUSTMENT, [line(*APPROVED, 5)], [line(*APPROVED, 5), line(*REDEEMED, -5)]),
        (ADJUSTMENT, [line(*APPROVED, 6), line(*REDEEMED, -5)], [line(*APPROVED, 4), line(*REDEEMED, -5)]),
        (ADJUSTMENT, [line(*REDEEMED, -5)], None),
    ],
    ids=[
        "protection above zero",
        "lone write-off",
        "too much written off",
        "unearned",
        "too much",
        "redeemed for nothing",
    ],
)
async def test_entries_that_do_not_make_up_an_event_are_refused(
    books: Books, reference: tuple[ReferenceType, str], misshapen: list[Line], sound: list[Line] | None
) -> None:
    """LED-8: beside the same entries in the shape that the event has."""
    account = await books.account()
    await books.wallet(funds=100)
    await books.adjust(account, 50)
    assert isinstance(await books.refused(journal(account, reference, *misshapen)), WrongEventShape)
    if sound is not None:
        await books.post(journal(account, reference, *sound))


@pytest.mark.parametrize(
    "lines",
    [
        [line(*PROTECTION, 5)],
        [line(*WRITE_OFF, 5)],
        [line(*APPROVED, 6), line(*REDEEMED, -5)],
    ],
    ids=["protection", "write-off", "profit"],
)
async def test_verify_names_a_shape_that_the_writer_should_have_refused(database: Settings, lines: list[Line]) -> None:
    """LED-8, recomputed from outside: the rule is taken out of the writer, as its owner could."""
    with psycopg.connect(database_url(database, Role.OWNER), autocommit=True) as owner:
        row = owner.execute("SELECT pg_get_functiondef('ledger_post'::regproc)").fetchone()
        assert row is not None
        owner.execute(row[0].replace("code := 'wrong_event_shape';", "NULL;").encode())
    async with Books.open(database) as books:
        account = await books.account()
        await books.wallet(funds=100)
        await books.adjust(account, 50)
        reference = POSITION if lines[0].entry_type is EntryType.PROTECTION else ADJUSTMENT
        await books.post(journal(account, reference, *lines))
    problems = verify(database_url(database, Role.READ)).problems
    assert {problem.invariant for problem in problems} == {"LED-8", "LED-4"}
    shape = next(problem for problem in problems if problem.invariant == "LED-8")
    assert (shape.account_id, shape.sequence) == (account.account_id, 2)
    changed = next(problem for problem in problems if problem.invariant == "LED-4")
    assert "ledger_post" in changed.detail


async def test_two_commands_that_wrote_a_row_of_the_account_can_both_post(books: Books) -> None:
    """A foreign key to the account holds a share of its row; two holders do not lock each other out of posting."""
    account = await books.account()
    hold_share = text("SELECT FROM accounts WHERE user_id = :user_id AND id = :account_id FOR KEY SHARE")
    both_hold = asyncio.Barrier(2)

    async def command(session: AsyncSession) -> PostingStatus:
        await session.execute(hold_share, {"user_id": account.user_id, "account_id": account.account_id})
        await both_hold.wait()
        (result,) = await post(session, [adjusting(account, 1)])
        await session.commit()
        return result.status

    async with books.sessions() as one, books.sessions() as other:
        statuses = await asyncio.wait_for(asyncio.gather(command(one), command(other)), timeout=20)
    assert statuses == [PostingStatus.POSTED] * 2


@pytest.mark.parametrize(
    ("changed", "to"),
    [
        ("ARRAY[1], ARRAY[1], ARRAY['admin", "ARRAY[2], ARRAY[1], ARRAY['admin"),
        ("ARRAY[1], ARRAY[1], ARRAY['admin", "ARRAY[1], ARRAY[2], ARRAY['admin"),
        ("ARRAY[5.0]", "ARRAY[5.000000001]"),
        ("ARRAY[5.0]", "ARRAY['NaN'::numeric]"),
        ("ARRAY[5.0]", "ARRAY[5.0, 6.0]"),
        ("ARRAY['{}']", "ARRAY['{}', '{}']"),
        ("NULL)", "now() + interval '1 hour')"),
    ],
    ids=[
        "journal index",
        "line number",
        "over-precise",
        "not a number",
        "too many amounts",
        "too many metadata",
        "future",
    ],
)
async def test_misshapen_arrays_are_an_error_even_from_the_applications_role(
    ledger_database: Settings, books: Books, changed: str, to: str
) -> None:
    """The writer does not trust who calls it; the same call with sound arrays is taken."""
    account = await books.account()
    call = (  # The text is this test's own: it is changed array by array.
        f"SELECT codes FROM ledger_post(ARRAY['{account.user_id}'::uuid], ARRAY['{account.account_id}'::uuid],"  # noqa: S608
        " ARRAY[1],"
        f" ARRAY['{new_id()}'::uuid], ARRAY['\\x{'00' * 32}'::bytea], ARRAY['Adjusted'], ARRAY['admin_adjustment'],"
        " ARRAY['a'], ARRAY['{}'], ARRAY[NULL::uuid], ARRAY[1], ARRAY[1], ARRAY['admin_adjustment'], ARRAY['VUSD'],"
        " ARRAY['virtual'], ARRAY['operator_adjustment'], ARRAY[5.0], ARRAY[NULL::uuid], NULL)"
    )
    assert changed in call
    with psycopg.connect(database_url(ledger_database, Role.APP)) as connection:
        with pytest.raises((psycopg.DataError, psycopg.InternalError)):
            connection.execute(call.replace(changed, to).encode())
        connection.rollback()
        # A content hash of zeros would be found by verify: the sound call is only tried, not kept.
        assert connection.execute(call.encode()).fetchone() == (["posted"],)
        connection.rollback()


def test_the_hashes_of_functions_are_those_that_the_migrations_install(owner_connection: psycopg.Connection) -> None:
    """After a change to a function: scripts/function_hashes.py."""
    query = "SELECT proname, encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') FROM pg_proc WHERE proname = ANY (%s)"
    assert dict(owner_connection.execute(query, [list(FUNCTION_HASHES)]).fetchall()) == FUNCTION_HASHES
