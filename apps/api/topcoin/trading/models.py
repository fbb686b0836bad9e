"""The tables of simulated trading: `orders` and `positions`. Their money is VUSD, their prices the market's."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.infra.database.tables import (
    Amount,
    Base,
    CreatedAt,
    CustomerRow,
    EnumText,
    Percentage,
    Price,
    Quantity,
    are_numbers,
    check,
    is_code,
    not_blank,
    of_account,
    one_of,
    quoted,
)
from topcoin.market.domain import LEVERAGE_MAX
from topcoin.trading.domain import (
    LIVE_ORDERS,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionSide,
    PositionStatus,
    TimeInForce,
    TriggerPrice,
)

_ZERO = text("0")
_LIVE = quoted(sorted(LIVE_ORDERS))


def _zero_amount(comment: str) -> Mapped[Decimal]:
    return mapped_column(Numeric(28, 8), server_default=_ZERO, comment=comment)


class Order(CustomerRow, Base):
    """One simulated order, from its arrival to its end."""

    __tablename__ = "orders"
    __table_args__: Any = (
        of_account(),
        ForeignKeyConstraint(["instrument_id"], ["instruments.id"], ondelete="RESTRICT"),
        # TRD-3: checked at commit, since the two orders of a replacement name each other.
        ForeignKeyConstraint(
            ["user_id", "replaces"], ["orders.user_id", "orders.id"], deferrable=True, initially="DEFERRED"
        ),
        ForeignKeyConstraint(
            ["user_id", "replaced_by"], ["orders.user_id", "orders.id"], deferrable=True, initially="DEFERRED"
        ),
        UniqueConstraint("user_id", "account_id", "client_order_id"),
        one_of("side", OrderSide),
        one_of("order_type", OrderType),
        one_of("time_in_force", TimeInForce),
        one_of("trigger_by", TriggerPrice),
        one_of("status", OrderStatus),
        are_numbers(
            *("size", "filled_size", "limit_price", "stop_price", "trail", "fill_price", "stop_loss", "take_profit"),
            *("slippage", "fees", "realized_pnl", "leverage", "margin"),
        ),
        # TRD-1, P1: no order here ever trades real money.
        check("virtual_trade_true", "virtual_trade"),
        check("size_positive", "size > 0"),
        # TRD-2: fills within the size, the prices of the type; below, the end with its time and code.
        check("filled_within_size", "filled_size >= 0 AND filled_size <= size"),
        check("limit_price_where_limited", "(order_type IN ('limit', 'stop_limit')) = (limit_price IS NOT NULL)"),
        check(
            "stop_price_where_stopped",
            "CASE WHEN order_type IN ('stop', 'stop_limit') THEN stop_price IS NOT NULL"
            " WHEN order_type = 'trailing_stop' THEN true ELSE stop_price IS NULL END",
        ),
        check("trail_where_trailing", "(order_type = 'trailing_stop') = (trail IS NOT NULL)"),
        check(
            "prices_positive",
            "least(limit_price, stop_price, trail, fill_price, stop_loss, take_profit) > 0",
        ),
        check("fill_price_when_filled", "(filled_size > 0) = (fill_price IS NOT NULL)"),
        check(
            "unfilled_until_filling",
            "filled_size = 0 OR status NOT IN ('pending', 'accepted', 'triggered', 'rejected')",
        ),
        check("partially_filled_in_part", "status <> 'partially_filled' OR filled_size > 0 AND filled_size < size"),
        check("filled_whole", "(status = 'filled') = (filled_size = size)"),
        check("fees_not_negative", "fees >= 0"),
        check("margin_not_negative", "margin >= 0"),
        check("leverage_bounded", f"leverage BETWEEN 1 AND {LEVERAGE_MAX}"),
        check("expires_when_good_till_time", "time_in_force <> 'gtd' OR expires_at IS NOT NULL"),
        check("expires_only_when_timed", "expires_at IS NULL OR time_in_force IN ('gtd', 'day')"),
        check("expires_after_made", "expires_at > created_at"),
        not_blank("client_order_id"),
        # TRD-3
        check("replaces_another", "replaces <> id AND replaced_by <> id"),
        check("replaced_names_successor", "(status = 'replaced') = (replaced_by IS NOT NULL)"),
        is_code("reject_code"),
        is_code("cancel_code"),
        # TRD-2: every end has its time, and a refusal its code.
        check("rejected_has_code", "(status = 'rejected') = (reject_code IS NOT NULL)"),
        check("cancelled_has_code", "(status = 'cancelled') = (cancel_code IS NOT NULL)"),
        check("accepted_has_time", "(status IN ('pending', 'rejected')) = (accepted_at IS NULL)"),
        check("triggered_has_time", "status <> 'triggered' OR triggered_at IS NOT NULL"),
        check("finished_has_time", f"(status IN ({_LIVE})) = (finished_at IS NULL)"),
        check("times_in_order", "least(accepted_at, finished_at) >= created_at AND triggered_at >= accepted_at"),
        Index(None, "user_id", "account_id", "created_at"),
        Index(None, "instrument_id", "created_at"),
        Index(None, "user_id", "replaces", postgresql_where=text("replaces IS NOT NULL")),
        Index(None, "user_id", "replaced_by", postgresql_where=text("replaced_by IS NOT NULL")),
        Index("ix_orders_live", "status", "created_at", postgresql_where=text(f"status IN ({_LIVE})")),
        {
            "comment": "Simulated orders: prices are the market's, money is VUSD",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
            # An order changes a few times soon after it is made: room on the page keeps that off the indexes.
            "postgresql_with": {"fillfactor": 80},
        },
    )

    account_id: Mapped[UUID]
    instrument_id: Mapped[UUID]
    side: Mapped[OrderSide] = mapped_column(EnumText(OrderSide))
    order_type: Mapped[OrderType] = mapped_column(EnumText(OrderType))
    size: Mapped[Quantity] = mapped_column(comment="Lots")
    filled_size: Mapped[Quantity] = mapped_column(server_default=_ZERO, comment="Lots")
    limit_price: Mapped[Price | None]
    stop_price: Mapped[Price | None] = mapped_column(comment="The trigger; of a trailing stop, where it stands now")
    trail: Mapped[Price | None] = mapped_column(comment="Distance behind the best price, in the quote currency")
    trigger_by: Mapped[TriggerPrice] = mapped_column(EnumText(TriggerPrice), server_default=TriggerPrice.NATURAL)
    fill_price: Mapped[Price | None] = mapped_column(comment="Average over the fills")
    slippage: Mapped[Price] = mapped_column(
        server_default=_ZERO, comment="Quote currency per unit, in the average fill price; positive costs the customer"
    )
    fees: Mapped[Decimal] = _zero_amount("VUSD of commission")
    realized_pnl: Mapped[Decimal] = _zero_amount("VUSD from what the fills closed, before fees")
    status: Mapped[OrderStatus] = mapped_column(EnumText(OrderStatus), server_default=OrderStatus.PENDING)
    virtual_trade: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Always true: every trade is simulated"
    )
    stop_loss: Mapped[Price | None] = mapped_column(comment="Bracket of the position that it opens")
    take_profit: Mapped[Price | None] = mapped_column(comment="Bracket of the position that it opens")
    leverage: Mapped[Decimal] = mapped_column(server_default=text("1"), comment="Position value over margin")
    margin: Mapped[Decimal] = _zero_amount("VUSD reserved while it rests")
    time_in_force: Mapped[TimeInForce] = mapped_column(EnumText(TimeInForce), server_default=TimeInForce.GTC)
    expires_at: Mapped[datetime | None]
    reduce_only: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="May close a position, never open one"
    )
    client_order_id: Mapped[str | None] = mapped_column(comment="The customer's own name for it, unique in the account")
    replaces: Mapped[UUID | None] = mapped_column(comment="The order in whose place it stands")
    replaced_by: Mapped[UUID | None] = mapped_column(comment="The order that stands in its place")
    reject_code: Mapped[str | None]
    cancel_code: Mapped[str | None]
    accepted_at: Mapped[datetime | None]
    triggered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(comment="When its last state was reached")
    created_at: Mapped[CreatedAt]


class Position(CustomerRow, Base):
    """What an account holds in an instrument, one way; closed positions stay as history."""

    __tablename__ = "positions"
    __table_args__: Any = (
        of_account(),
        ForeignKeyConstraint(["instrument_id"], ["instruments.id"], ondelete="RESTRICT"),
        one_of("side", PositionSide),
        one_of("status", PositionStatus),
        are_numbers(
            *("size", "entry_price", "current_price", "stop_loss", "take_profit", "leverage", "margin_used"),
            *("unrealized_pnl", "unrealized_pnl_pct", "realized_pnl"),
        ),
        check("size_positive", "size > 0"),
        check("prices_positive", "least(entry_price, current_price, stop_loss, take_profit) > 0"),
        check("leverage_bounded", f"leverage BETWEEN 1 AND {LEVERAGE_MAX}"),
        check("margin_used_not_negative", "margin_used >= 0"),
        # TRD-4: here, and that a closed one is settled.
        check("closed_has_time", "(status = 'closed') = (closed_at IS NOT NULL)"),
        check("closed_has_reason", "(status = 'closed') = (close_reason IS NOT NULL)"),
        is_code("close_reason"),
        check("closed_after_opened", "closed_at >= opened_at"),
        check(
            "closed_is_settled",
            "status = 'open' OR unrealized_pnl = 0 AND unrealized_pnl_pct = 0 AND margin_used = 0",
        ),
        Index(None, "user_id", "account_id", "opened_at"),
        Index(None, "instrument_id", "status"),
        Index("ix_positions_open", "user_id", "account_id", postgresql_where=text("status = 'open'")),
        Index(None, "opened_at"),
        Index(None, "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
        {
            "comment": "Simulated positions: prices are the market's, money is VUSD",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
            "postgresql_with": {"fillfactor": 80},
        },
    )

    account_id: Mapped[UUID]
    instrument_id: Mapped[UUID]
    side: Mapped[PositionSide] = mapped_column(EnumText(PositionSide))
    size: Mapped[Quantity] = mapped_column(comment="Lots open; once closed, those that the last close closed")
    entry_price: Mapped[Price] = mapped_column(comment="Average over the fills that opened it")
    current_price: Mapped[Price] = mapped_column(comment="The exit price when last valued, or when closed")
    unrealized_pnl: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="VUSD, when last valued")
    unrealized_pnl_pct: Mapped[Percentage] = mapped_column(
        server_default=_ZERO, comment="Per cent of margin_used that unrealized_pnl is"
    )
    realized_pnl: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="VUSD from the lots closed so far")
    stop_loss: Mapped[Price | None]
    take_profit: Mapped[Price | None]
    leverage: Mapped[Decimal] = mapped_column(server_default=text("1"), comment="Position value over margin")
    margin_used: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="VUSD bound by it")
    status: Mapped[PositionStatus] = mapped_column(EnumText(PositionStatus), server_default=PositionStatus.OPEN)
    opened_at: Mapped[CreatedAt]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None] = mapped_column(comment="A code: stop_loss, stop_out, …")
