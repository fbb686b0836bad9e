"""Rows that every rule accepts, and functions that put them in: what a test does not care about is filled in here.

`…_row` gives the columns of a row as plain values; `make_…` inserts one and returns its id. Each takes changes by name.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from topcoin.kernel.ids import new_id

Row = dict[str, Any]

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""A Monday morning: when all of these rows were made."""


class AccountKey(NamedTuple):
    """An account and whose it is, by the names of the columns that refer to it."""

    user_id: UUID
    account_id: UUID

    def columns(self) -> Row:
        """The two columns of a row that belongs to the account."""
        return self._asdict()


def _insert_statement(table: str, row: Row, placeholder: str) -> tuple[str, Row]:
    """A plain INSERT, as an operator's script would send it: nothing of the models stands between."""
    columns = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(placeholder.format(name) for name in row)
    bound = {name: Jsonb(value) if isinstance(value, dict | list) else value for name, value in row.items()}
    return f'INSERT INTO "{table}" ({columns}) VALUES ({values})', bound  # noqa: S608 - names are the tests' own


async def insert(session: AsyncSession | AsyncConnection, table: str, row: Row) -> None:
    """Insert one row."""
    statement, bound = _insert_statement(table, row, ":{}")
    await session.execute(text(statement), bound)


def insert_now(connection: psycopg.Connection, table: str, row: Row) -> None:
    """Insert one row on a synchronous connection."""
    statement, bound = _insert_statement(table, row, "%({})s")
    connection.execute(statement.encode(), bound)


def user_row(**changes: object) -> Row:
    """A customer who has registered."""
    user_id = new_id()
    return {
        "id": user_id,
        "email": f"{user_id}@example.com",
        "hashed_password": "$argon2id$example",
        "display_name": "Ada",
        "created_at": NOW,
        **changes,
    }


def account_row(user_id: UUID, **changes: object) -> Row:
    """An account with nothing in it."""
    return {"user_id": user_id, "id": new_id(), "created_at": NOW, **changes}


def instrument_row(**changes: object) -> Row:
    """Something to trade."""
    return {
        "id": new_id(),
        "symbol": f"T{new_id().int % 10**12}",
        "name": "Test",
        "instrument_type": "crypto",
        "base_currency": "TST",
        "quote_currency": "USD",
        "min_size": Decimal("0.01"),
        "max_size": Decimal(100),
        "size_step": Decimal("0.01"),
        "tick_size": Decimal("0.01"),
        "contract_size": Decimal(1),
        "spread": Decimal("0.02"),
        "commission_pct": Decimal("0.1"),
        "max_leverage": Decimal(10),
        "maintenance_margin_pct": Decimal(5),
        "trading_calendar": "24/7",
        "financing_long_pct": Decimal(5),
        "financing_short_pct": Decimal(2),
        "is_active": True,
        "is_tradeable": True,
        "created_at": NOW,
        **changes,
    }


def adjustment_row(account: AccountKey, **changes: object) -> Row:
    """An adjustment that waits for a second person."""
    return {
        **account.columns(),
        "id": new_id(),
        "admin_user_id": new_id(),
        "adjustment_type": "equity_adjustment",
        "amount": Decimal(9500),
        "unit": "VUSD",
        "reason": "Initial virtual balance allocation",
        "requires_approval": True,
        "expires_at": NOW + timedelta(days=1),
        "created_at": NOW,
        **changes,
    }


def approved_adjustment_row(account: AccountKey, **changes: object) -> Row:
    """An adjustment that a second person approved and that was posted."""
    return adjustment_row(
        account,
        **{
            "status": "approved",
            "approved_by": new_id(),
            "approved_at": NOW,
            "journal_id": new_id(),
            "previous_balance": Decimal(500),
            "new_balance": Decimal(10000),
            **changes,
        },
    )


def deposit_row(account: AccountKey, **changes: object) -> Row:
    """A deposit that the customer has been given an address for."""
    deposit_id = new_id()
    return {
        **account.columns(),
        "id": deposit_id,
        "price_amount": Decimal(500),
        "crypto_amount": Decimal("0.005"),
        "crypto_currency": "btc",
        "order_id": str(deposit_id),
        "payment_id": str(deposit_id.int),
        "pay_address": "bc1qexample",
        "created_at": NOW,
        **changes,
    }


def credited_deposit_row(account: AccountKey, **changes: object) -> Row:
    """A deposit that has been confirmed and credited."""
    return deposit_row(
        account,
        **{
            "status": "confirmed",
            "actually_paid": Decimal("0.005"),
            "usd_equivalent": Decimal(500),
            "fees": Decimal(2),
            "credited_amount": Decimal(498),
            "credited_at": NOW,
            **changes,
        },
    )


def withdrawal_row(account: AccountKey, **changes: object) -> Row:
    """A withdrawal that has been asked for."""
    return {
        **account.columns(),
        "id": new_id(),
        "requested_amount": Decimal(100),
        "payout_address": "TExample",
        "payout_currency": "usdttrc20",
        "decide_by": NOW + timedelta(days=3),
        "created_at": NOW,
        **changes,
    }


def approved_withdrawal_row(account: AccountKey, **changes: object) -> Row:
    """A withdrawal that has been approved and waits to be sent."""
    return withdrawal_row(
        account,
        **{
            "status": "approved",
            "approved_amount": Decimal(100),
            "aml_cleared_at": NOW,
            "reviewed_by": new_id(),
            "reviewed_at": NOW,
            "approved_at": NOW,
            "send_by": NOW + timedelta(days=2),
            **changes,
        },
    )


def completed_withdrawal_row(account: AccountKey, **changes: object) -> Row:
    """A withdrawal that has been paid, less fees of 3."""
    return approved_withdrawal_row(
        account,
        **{
            "status": "completed",
            "sent_amount": Decimal(97),
            "network_fee": Decimal(2),
            "processing_fee": Decimal(1),
            "transaction_hash": "0xexample",
            "processing_at": NOW,
            "completed_at": NOW,
            **changes,
        },
    )


def order_row(account: AccountKey, instrument_id: UUID, **changes: object) -> Row:
    """A market order that has just arrived."""
    return {
        **account.columns(),
        "id": new_id(),
        "instrument_id": instrument_id,
        "side": "buy",
        "order_type": "market",
        "size": Decimal(2),
        "created_at": NOW,
        **changes,
    }


def filled_order_row(account: AccountKey, instrument_id: UUID, **changes: object) -> Row:
    """A market order that has been filled."""
    return order_row(
        account,
        instrument_id,
        **{
            "status": "filled",
            "filled_size": Decimal(2),
            "fill_price": Decimal(100),
            "accepted_at": NOW,
            "finished_at": NOW,
            **changes,
        },
    )


def position_row(account: AccountKey, instrument_id: UUID, **changes: object) -> Row:
    """An open position."""
    return {
        **account.columns(),
        "id": new_id(),
        "instrument_id": instrument_id,
        "side": "long",
        "size": Decimal(2),
        "entry_price": Decimal(100),
        "current_price": Decimal(101),
        "unrealized_pnl": Decimal(2),
        "margin_used": Decimal(20),
        "opened_at": NOW,
        **changes,
    }


def closed_position_row(account: AccountKey, instrument_id: UUID, **changes: object) -> Row:
    """A position that its stop loss has closed."""
    return position_row(
        account,
        instrument_id,
        **{
            "status": "closed",
            "unrealized_pnl": Decimal(0),
            "margin_used": Decimal(0),
            "realized_pnl": Decimal(-4),
            "closed_at": NOW,
            "close_reason": "stop_loss",
            **changes,
        },
    )


def plan_row(**changes: object) -> Row:
    """A plan that takes investments."""
    plan_id = new_id()
    return {
        "id": plan_id,
        "name": f"Balanced {plan_id}",
        "risk_profile": "balanced",
        "minimum_investment": Decimal(100),
        "created_at": NOW,
        **changes,
    }


def investment_row(account: AccountKey, plan_id: UUID, **changes: object) -> Row:
    """An investment that is held."""
    return {
        **account.columns(),
        "id": new_id(),
        "plan_id": plan_id,
        "allocated_amount": Decimal(100),
        "units": Decimal(10),
        "current_value": Decimal(105),
        "return_pct": Decimal(5),
        "unrealized_pnl": Decimal(5),
        "opened_at": NOW,
        **changes,
    }


def alert_row(user_id: UUID, **changes: object) -> Row:
    """An alert that nobody has looked at."""
    return {
        "user_id": user_id,
        "id": new_id(),
        "alert_type": "structuring",
        "dedup_key": "2026-01-05",
        "severity": "high",
        "description": "Five deposits just below the threshold within a day",
        "due_at": NOW + timedelta(days=1),
        "created_at": NOW,
        **changes,
    }


def ticket_row(user_id: UUID, **changes: object) -> Row:
    """A ticket that nobody has answered."""
    return {
        "user_id": user_id,
        "id": new_id(),
        "subject": "Where is my deposit?",
        "description": "I sent it an hour ago.",
        "category": "deposit",
        "first_response_due_at": NOW + timedelta(hours=4),
        "created_at": NOW,
        **changes,
    }


def audit_row(user_id: UUID, *, sequence: int = 1, previous_hash: bytes = bytes(32), **changes: object) -> Row:
    """An audit row, chained to the one whose hash is given."""
    return {
        "user_id": user_id,
        "id": new_id(),
        "sequence": sequence,
        "previous_hash": previous_hash,
        "entry_hash": sha256(previous_hash + str(sequence).encode()).digest(),
        "actor": user_id,
        "action": "sign_in",
        "created_at": NOW,
        **changes,
    }


async def make_user(session: AsyncSession | AsyncConnection, **changes: object) -> UUID:
    """A customer."""
    row = user_row(**changes)
    await insert(session, "users", row)
    return row["id"]


async def make_account(
    session: AsyncSession | AsyncConnection, *, user_id: UUID | None = None, **changes: object
) -> AccountKey:
    """An account with nothing in it, of a new customer or of the one whose `user_id` is given."""
    user_id = await make_user(session) if user_id is None else user_id
    row = account_row(user_id, **changes)
    await insert(session, "accounts", row)
    return AccountKey(user_id, row["id"])


async def make_instrument(session: AsyncSession | AsyncConnection, **changes: object) -> UUID:
    """Something to trade."""
    row = instrument_row(**changes)
    await insert(session, "instruments", row)
    return row["id"]


async def make_plan(session: AsyncSession | AsyncConnection, **changes: object) -> UUID:
    """A plan that takes investments."""
    row = plan_row(**changes)
    await insert(session, "ai_investment_plans", row)
    return row["id"]
