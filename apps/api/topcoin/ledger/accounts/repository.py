"""Queries on accounts. Balances are written by `ledger_post` alone; the database's privileges see to it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.ledger.accounts.domain import AccountFigures, TradingFigures
from topcoin.ledger.domain import PositionMode
from topcoin.ledger.models import Account

_FIGURES: Final = select(
    *(
        Account.__table__.c[name]
        for name in (
            *("user_id", "id", "deposited_amount", "approved_profit", "deposit_review", "withdrawal_hold"),
            *("virtual_balance", "virtual_hold", "allocated", "credit_due", "margin_used", "margin_available"),
            *("equity_cached", "is_active", "is_frozen", "entry_count", "position_mode"),
        )
    )
)
"""Columns, not objects that SQLAlchemy keeps track of, in statements made once: many a request reads an account."""
_OF_ACCOUNT: Final = _FIGURES.where(Account.user_id == bindparam("user_id"), Account.id == bindparam("account_id"))
_OF_ACCOUNT_FOR_UPDATE: Final = _OF_ACCOUNT.with_for_update(key_share=True)


def _figures(account: Row[*tuple[Any, ...]]) -> AccountFigures:
    return AccountFigures(
        user_id=account.user_id,
        account_id=account.id,
        deposited=account.deposited_amount,
        profit=account.approved_profit,
        review=account.deposit_review,
        hold=account.withdrawal_hold,
        virtual=account.virtual_balance,
        virtual_hold=account.virtual_hold,
        allocated=account.allocated,
        credit_due=account.credit_due,
        margin_used=account.margin_used,
        margin_available=account.margin_available,
        equity=account.equity_cached,
        is_active=account.is_active,
        is_frozen=account.is_frozen,
        entry_count=account.entry_count,
        position_mode=account.position_mode,
    )


async def insert_account(
    session: AsyncSession, user_id: UUID, account_id: UUID, position_mode: PositionMode, created_at: datetime
) -> None:
    """Insert an empty account."""
    row = {"user_id": user_id, "id": account_id, "position_mode": position_mode, "created_at": created_at}
    await session.execute(insert(Account).values(row))


async def _one(
    session: AsyncSession, query: Select[*tuple[Any, ...]], user_id: UUID, account_id: UUID
) -> AccountFigures | None:
    account = (await session.execute(query, {"user_id": user_id, "account_id": account_id})).one_or_none()
    return None if account is None else _figures(account)


async def select_figures(session: AsyncSession, user_id: UUID, account_id: UUID) -> AccountFigures | None:
    """The figures as this transaction sees them."""
    return await _one(session, _OF_ACCOUNT, user_id, account_id)


async def select_all_figures(
    session: AsyncSession, user_id: UUID, *, after: UUID | None, limit: int
) -> list[AccountFigures]:
    """The figures of a user's accounts in the order of their ids, from behind one of them."""
    query = _FIGURES.where(Account.user_id == user_id).order_by(Account.id).limit(limit)
    if after is not None:
        query = query.where(Account.id > after)
    return [_figures(account) for account in await session.execute(query)]


async def select_figures_for_update(session: AsyncSession, user_id: UUID, account_id: UUID) -> AccountFigures | None:
    """The figures, locked until the transaction ends."""
    return await _one(session, _OF_ACCOUNT_FOR_UPDATE, user_id, account_id)


async def select_owners(session: AsyncSession, account_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The owner of each account that exists, by account id."""
    rows = await session.execute(select(Account.id, Account.user_id).where(Account.id.in_(list(account_ids))))
    return {account_id: user_id for account_id, user_id in rows}  # noqa: C416 - dict() does not take rows for pairs


async def update_trading_figures(
    session: AsyncSession, user_id: UUID, account_id: UUID, figures: TradingFigures
) -> bool:
    """Write what trading keeps on the row; whether the account is there and as it was valued."""
    statement = (
        update(Account)
        .where(Account.user_id == user_id, Account.id == account_id, Account.entry_count == figures.entry_count)
        .values(
            equity_cached=figures.equity,
            margin_used=figures.margin_used,
            margin_available=figures.margin_available,
            realized_pnl=figures.realized_pnl,
            total_trades=figures.total_trades,
            winning_trades=figures.winning_trades,
            losing_trades=figures.losing_trades,
        )
        .returning(Account.id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None
