"""What staff may read of any account, the house's included: balances and entries. Nothing here changes anything."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.http.dependencies import StatementSessionDep
from topcoin.http.routing import Router
from topcoin.http.schemas import PAGE_SIZE_DEFAULT, CursorQuery, LimitQuery, PageOf
from topcoin.kernel.access import Permission, staff
from topcoin.kernel.pages import InvalidCursor
from topcoin.ledger.accounts import service as accounts
from topcoin.ledger.chart.domain import Book
from topcoin.ledger.errors import AccountNotFound
from topcoin.ledger.schemas import AccountSchema, EntrySchema
from topcoin.ledger.statements import service as statements

router = Router(prefix="/staff", tags=["staff: accounts"])


@router.get(
    "/accounts/{account_id}",
    access=staff(Permission.ACCOUNTS_READ),
    errors=[AccountNotFound],
    summary="Read any account",
)
async def staff_read_account(account_id: UUID, session: StatementSessionDep) -> AccountSchema:
    """An account's balances as its customer sees them."""
    return AccountSchema.of(await accounts.get_figures(session, await _owner(session, account_id), account_id))


@router.get(
    "/ledger",
    access=staff(Permission.LEDGER_READ),
    errors=[AccountNotFound, InvalidCursor],
    summary="List any account's ledger entries",
)
async def staff_list_entries(
    account_id: Annotated[UUID, Query(description="Whose entries; the house's account is one too.")],
    session: StatementSessionDep,
    book: Annotated[Book | None, Query(description="Only entries that touch this book, on either side.")] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_SIZE_DEFAULT,
) -> PageOf[EntrySchema]:
    """An account's entries, the newest first, as its customer sees them."""
    owner = await _owner(session, account_id)
    page = await statements.list_entries(session, owner, account_id, book=book, cursor=cursor, limit=limit)
    return PageOf[EntrySchema].of(page, EntrySchema.of)


async def _owner(session: AsyncSession, account_id: UUID) -> UUID:
    """Whose account it is. Raises AccountNotFound."""
    owner = (await accounts.find_owners(session, [account_id])).get(account_id)
    if owner is None:
        raise AccountNotFound("there is no such account; check the account's id")
    return owner
