"""A customer's accounts: balances, what they are made of, entries, statements. Another's account is not there (404)."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Query, Response

from topcoin.http.dependencies import ActorDep, ReadSessionDep, StatementSessionDep
from topcoin.http.routing import Router
from topcoin.http.schemas import PAGE_SIZE_DEFAULT, CursorQuery, LimitQuery, PageOf
from topcoin.kernel.access import Actor, NotSignedIn, Permission, customers
from topcoin.kernel.pages import InvalidCursor
from topcoin.ledger.accounts import service as accounts
from topcoin.ledger.chart.domain import Book
from topcoin.ledger.errors import AccountNotFound, InvalidPeriod, StatementTooLong
from topcoin.ledger.schemas import AccountSchema, BreakdownSchema, EntrySchema, StatementSchema
from topcoin.ledger.statements import service as statements
from topcoin.ledger.statements.csv_file import statement_csv
from topcoin.ledger.statements.domain import parse_period

router = Router(prefix="/accounts", tags=["accounts"])

BookQuery = Annotated[Book | None, Query(description="Only entries that touch this book, on either side.")]
Period = Annotated[
    str,
    Path(
        max_length=40,
        description="A year, a month or a range of days in UTC: `2026`, `2026-01`, `2026-01-05..2026-01-11`.",
        examples=["2026-01"],
    ),
]

_CSV: Final = "text/csv; charset=utf-8"


@router.get("", access=customers(Permission.ACCOUNTS_READ), errors=[InvalidCursor], summary="List accounts")
async def list_accounts(
    session: StatementSessionDep, actor: ActorDep, cursor: CursorQuery = None, limit: LimitQuery = PAGE_SIZE_DEFAULT
) -> PageOf[AccountSchema]:
    """One's accounts, the oldest first."""
    page = await accounts.list_figures(session, _own_id(actor), cursor=cursor, limit=limit)
    return PageOf[AccountSchema].of(page, AccountSchema.of)


@router.get(
    "/{account_id}", access=customers(Permission.ACCOUNTS_READ), errors=[AccountNotFound], summary="Read an account"
)
async def read_account(account_id: UUID, session: StatementSessionDep, actor: ActorDep) -> AccountSchema:
    """An account's balances, real and simulated apart."""
    return AccountSchema.of(await accounts.get_figures(session, _own_id(actor), account_id))


@router.get(
    "/{account_id}/breakdown",
    access=customers(Permission.LEDGER_READ),
    errors=[AccountNotFound],
    summary="What each balance is made of",
)
async def read_breakdown(account_id: UUID, session: ReadSessionDep, actor: ActorDep) -> BreakdownSchema:
    """Each balance by source, summed from the ledger: the amounts of a list add up to that balance."""
    return BreakdownSchema.of(account_id, await statements.get_breakdown(session, _own_id(actor), account_id))


@router.get(
    "/{account_id}/ledger",
    access=customers(Permission.LEDGER_READ),
    errors=[AccountNotFound, InvalidCursor],
    summary="List ledger entries",
)
async def list_entries(
    account_id: UUID,
    session: StatementSessionDep,
    actor: ActorDep,
    book: BookQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_SIZE_DEFAULT,
) -> PageOf[EntrySchema]:
    """An account's entries, the newest first. What is posted meanwhile does not shift the pages that follow."""
    page = await statements.list_entries(session, _own_id(actor), account_id, book=book, cursor=cursor, limit=limit)
    return PageOf[EntrySchema].of(page, EntrySchema.of)


@router.get(
    "/{account_id}/statements/{period}.csv",
    access=customers(Permission.LEDGER_READ),
    errors=[AccountNotFound, InvalidPeriod, StatementTooLong],
    summary="Read a statement as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def read_statement_csv(account_id: UUID, period: Period, session: ReadSessionDep, actor: ActorDep) -> Response:
    """A statement for spreadsheets: each line says whether it is real or simulated money."""
    start, end = parse_period(period)
    statement = await statements.get_statement(session, _own_id(actor), account_id, start, end)
    disposition = f'attachment; filename="statement-{account_id}-{period}.csv"'
    return Response(statement_csv(statement), media_type=_CSV, headers={"Content-Disposition": disposition})


@router.get(
    "/{account_id}/statements/{period}",
    access=customers(Permission.LEDGER_READ),
    errors=[AccountNotFound, InvalidPeriod, StatementTooLong],
    summary="Read a statement",
)
async def read_statement(account_id: UUID, period: Period, session: ReadSessionDep, actor: ActorDep) -> StatementSchema:
    """An account's movements in a period with running balances; for each book, opening plus movements is closing."""
    start, end = parse_period(period)
    statement = await statements.get_statement(session, _own_id(actor), account_id, start, end)
    return StatementSchema.of(account_id, period, statement)


def _own_id(actor: Actor) -> UUID:
    if actor.user_id is None:
        raise NotSignedIn("sign in, or send an API key as: Authorization: Bearer <api key>")
    return actor.user_id
