"""Opening accounts, reading their figures, and taking over what trading knows of them."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.kernel.clock import Clock
from topcoin.kernel.ids import new_id
from topcoin.kernel.pages import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, InvalidCursor, Page, decode_cursor, encode_cursor
from topcoin.ledger.accounts import repository
from topcoin.ledger.accounts.domain import AccountFigures, TradingFigures
from topcoin.ledger.domain import PositionMode
from topcoin.ledger.errors import AccountChanged, AccountNotFound

_NOT_FOUND = "there is no such account; check the account's id and its owner"


async def open_account(
    session: AsyncSession, clock: Clock, user_id: UUID, position_mode: PositionMode = PositionMode.NETTING
) -> UUID:
    """Open an empty account for a user and return its id."""
    account_id = new_id()
    await repository.insert_account(session, user_id, account_id, position_mode, clock.now())
    return account_id


async def get_figures(session: AsyncSession, user_id: UUID, account_id: UUID) -> AccountFigures:
    """The figures of a user's account as this transaction sees them."""
    figures = await repository.select_figures(session, user_id, account_id)
    if figures is None:
        raise AccountNotFound(_NOT_FOUND)
    return figures


async def list_figures(
    session: AsyncSession, user_id: UUID, *, cursor: str | None = None, limit: int = PAGE_SIZE_DEFAULT
) -> Page[AccountFigures]:
    """A page of a user's accounts, the oldest first. Raises InvalidCursor."""
    size = max(1, min(limit, PAGE_SIZE_MAX))
    after = None if cursor is None else _account_id(cursor)
    found = await repository.select_all_figures(session, user_id, after=after, limit=size + 1)
    next_cursor = encode_cursor(str(found[size - 1].account_id)) if len(found) > size else None
    return Page(found[:size], next_cursor)


async def lock_figures(session: AsyncSession, user_id: UUID, account_id: UUID) -> AccountFigures:
    """The figures of a user's account, which nobody else can change until the transaction ends."""
    figures = await repository.select_figures_for_update(session, user_id, account_id)
    if figures is None:
        raise AccountNotFound(_NOT_FOUND)
    return figures


async def find_owners(session: AsyncSession, account_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The owner of each account that exists, by account id: for operators' files, which name accounts alone."""
    return await repository.select_owners(session, account_ids)


async def record_trading_figures(
    session: AsyncSession, user_id: UUID, account_id: UUID, figures: TradingFigures
) -> None:
    """Take over equity, margin and trade counts: the one way in which they are set.

    Postings shift equity and free margin by what they move, so that the figures hold between two valuations; figures
    of a valuation that a posting has overtaken raise `AccountChanged`.
    """
    if not await repository.update_trading_figures(session, user_id, account_id, figures):
        await get_figures(session, user_id, account_id)
        raise AccountChanged("entries were posted since this valuation; value the account again")


def _account_id(cursor: str) -> UUID:
    try:
        return UUID(str(decode_cursor(cursor, str)[0]))
    except ValueError:
        raise InvalidCursor("this cursor is not one of ours; start again without it") from None
