from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import (
    NOW,
    closed_position_row,
    filled_order_row,
    insert,
    make_account,
    make_instrument,
    order_row,
    position_row,
)
from support.rules import check_nan_refused, check_rules

from topcoin.kernel.ids import new_id

EARLIER = NOW - timedelta(seconds=1)
LATER = NOW + timedelta(seconds=1)


async def test_every_rule_of_orders_refuses_what_breaks_it(session: AsyncSession) -> None:
    """TRD-1 by `virtual_trade_true`, TRD-2 by the rules about fills, prices, times and codes, TRD-3 by `replac…`."""
    account, instrument = await make_account(session), await make_instrument(session)
    pending, filled = order_row(account, instrument), filled_order_row(account, instrument)
    price = Decimal(100)
    limit = order_row(account, instrument, order_type="limit", limit_price=price)
    stop = order_row(account, instrument, order_type="stop", stop_price=price)
    stop_limit = order_row(account, instrument, order_type="stop_limit", stop_price=price, limit_price=price)
    trailing = order_row(account, instrument, order_type="trailing_stop", trail=price, stop_price=price)
    accepted = order_row(account, instrument, status="accepted", accepted_at=NOW)
    triggered = order_row(account, instrument, status="triggered", accepted_at=NOW, triggered_at=NOW)
    part = order_row(
        account, instrument, status="partially_filled", filled_size=Decimal(1), fill_price=price, accepted_at=NOW
    )
    rejected = order_row(account, instrument, status="rejected", reject_code="market_closed", finished_at=NOW)
    ended = {"accepted_at": NOW, "finished_at": NOW}
    cancelled = order_row(account, instrument, status="cancelled", cancel_code="customer", **ended)
    replaced = order_row(account, instrument, status="replaced", replaced_by=new_id(), **ended)
    timed = order_row(account, instrument, time_in_force="gtd", expires_at=LATER)
    bracketed = order_row(account, instrument, stop_loss=price, take_profit=price)
    named = order_row(account, instrument, client_order_id="mine")
    zero, minus = Decimal(0), Decimal("-0.00000001")
    await check_rules(
        session,
        "orders",
        {
            "side_known": [(pending, {"side": "long"})],
            "order_type_known": [(pending, {"order_type": "iceberg"})],
            "time_in_force_known": [(pending, {"time_in_force": "forever"})],
            "trigger_by_known": [(pending, {"trigger_by": "close"})],
            "status_known": [(accepted, {"status": "new", "finished_at": NOW})],
            "numbers": [(pending, {"realized_pnl": Decimal("NaN")})],
            "virtual_trade_true": [(pending, {"virtual_trade": False})],
            "size_positive": [(accepted, {"size": zero, "status": "filled", "finished_at": NOW})],
            "filled_within_size": [(part, {"filled_size": Decimal(3)}), (pending, {"filled_size": minus})],
            "limit_price_where_limited": [
                (limit, {"limit_price": None}),
                (stop_limit, {"limit_price": None}),
                (pending, {"limit_price": price}),
                (stop, {"limit_price": price}),
            ],
            "stop_price_where_stopped": [
                (stop, {"stop_price": None}),
                (stop_limit, {"stop_price": None}),
                (pending, {"stop_price": price}),
                (limit, {"stop_price": price}),
            ],
            "trail_where_trailing": [(trailing, {"trail": None}), (stop, {"trail": price})],
            "prices_positive": [
                (limit, {"limit_price": zero}),
                (stop, {"stop_price": zero}),
                (trailing, {"trail": zero}),
                (filled, {"fill_price": zero}),
                (bracketed, {"stop_loss": zero}),
                (bracketed, {"take_profit": zero}),
            ],
            "fill_price_when_filled": [(filled, {"fill_price": None}), (accepted, {"fill_price": price})],
            "unfilled_until_filling": [
                (part, {"status": "accepted"}),
                (part, {"status": "triggered", "triggered_at": NOW}),
            ],
            "partially_filled_in_part": [(part, {"filled_size": zero, "fill_price": None})],
            "filled_whole": [(filled, {"filled_size": Decimal(1)}), (part, {"filled_size": Decimal(2)})],
            "fees_not_negative": [(pending, {"fees": minus})],
            "margin_not_negative": [(pending, {"margin": minus})],
            "leverage_bounded": [(pending, {"leverage": Decimal("0.5")}), (pending, {"leverage": Decimal(1001)})],
            "expires_when_good_till_time": [(timed, {"expires_at": None})],
            "expires_only_when_timed": [(timed, {"time_in_force": "gtc"}), (timed, {"time_in_force": "ioc"})],
            "expires_after_made": [(timed, {"expires_at": NOW})],
            "client_order_id_not_blank": [(named, {"client_order_id": ""})],
            "replaces_another": [
                (pending, {"replaces": pending["id"]}),
                (replaced, {"replaced_by": replaced["id"]}),
            ],
            "replaced_names_successor": [(replaced, {"replaced_by": None}), (pending, {"replaced_by": new_id()})],
            "reject_code_is_code": [(rejected, {"reject_code": "Market closed"})],
            "cancel_code_is_code": [(cancelled, {"cancel_code": "By me"})],
            "rejected_has_code": [(rejected, {"reject_code": None}), (pending, {"reject_code": "market_closed"})],
            "cancelled_has_code": [(cancelled, {"cancel_code": None}), (pending, {"cancel_code": "customer"})],
            "accepted_has_time": [(accepted, {"accepted_at": None}), (pending, {"accepted_at": NOW})],
            "triggered_has_time": [(triggered, {"triggered_at": None})],
            "finished_has_time": [(filled, {"finished_at": None}), (accepted, {"finished_at": NOW})],
            "times_in_order": [
                (accepted, {"accepted_at": EARLIER}),
                (filled, {"finished_at": EARLIER}),
                (triggered, {"triggered_at": EARLIER}),
            ],
        },
    )
    await check_nan_refused(session, "orders", {**bracketed, "filled_size": zero})


async def test_every_rule_of_positions_refuses_what_breaks_it(session: AsyncSession) -> None:
    """TRD-4, by the rules about closed positions."""
    account, instrument = await make_account(session), await make_instrument(session)
    opened, closed = position_row(account, instrument), closed_position_row(account, instrument)
    bracketed = position_row(account, instrument, stop_loss=Decimal(90), take_profit=Decimal(110))
    zero = Decimal(0)
    await check_rules(
        session,
        "positions",
        {
            "side_known": [(opened, {"side": "buy"})],
            "status_known": [
                (position_row(account, instrument, unrealized_pnl=zero, margin_used=zero), {"status": "perhaps"})
            ],
            "numbers": [(opened, {"realized_pnl": Decimal("NaN")})],
            "size_positive": [(opened, {"size": zero}), (closed, {"size": zero})],
            "prices_positive": [
                (bracketed, {column: zero}) for column in ("entry_price", "current_price", "stop_loss", "take_profit")
            ],
            "leverage_bounded": [(opened, {"leverage": Decimal("0.5")}), (opened, {"leverage": Decimal(1001)})],
            "margin_used_not_negative": [(opened, {"margin_used": Decimal(-1)})],
            "closed_has_time": [(closed, {"closed_at": None})],
            "closed_has_reason": [(closed, {"close_reason": None}), (opened, {"close_reason": "stop_loss"})],
            "close_reason_is_code": [(closed, {"close_reason": "Stop loss"})],
            "closed_after_opened": [(closed, {"closed_at": EARLIER})],
            "closed_is_settled": [
                (closed, {"unrealized_pnl": Decimal(1)}),
                (closed, {"unrealized_pnl_pct": Decimal(1)}),
                (closed, {"margin_used": Decimal(1)}),
            ],
        },
    )
    await check_nan_refused(session, "positions", bracketed)


async def test_the_two_orders_of_a_replacement_name_each_other(session: AsyncSession) -> None:
    """TRD-3, as the engine will write it."""
    account, instrument = await make_account(session), await make_instrument(session)
    old_id, successor_id = new_id(), new_id()
    old = order_row(
        account,
        instrument,
        id=old_id,
        status="replaced",
        replaced_by=successor_id,
        accepted_at=NOW,
        finished_at=NOW,
    )
    await insert(session, "orders", old)
    await insert(session, "orders", order_row(account, instrument, id=successor_id, replaces=old_id))
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def test_a_successor_must_exist_in_the_end(session: AsyncSession) -> None:
    """TRD-3."""
    account, instrument = await make_account(session), await make_instrument(session)
    await insert(session, "orders", order_row(account, instrument, replaces=new_id()))
    with pytest.raises(IntegrityError, match="fk_orders_user_id_replaces_orders"):
        await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def test_a_client_order_id_is_unique_in_its_account(session: AsyncSession) -> None:
    account, other, instrument = (
        await make_account(session),
        await make_account(session),
        await make_instrument(session),
    )
    await insert(session, "orders", order_row(account, instrument, client_order_id="mine"))
    await insert(session, "orders", order_row(other, instrument, client_order_id="mine"))
    with pytest.raises(IntegrityError, match="uq_orders_user_id_account_id_client_order_id"):
        await insert(session, "orders", order_row(account, instrument, client_order_id="mine"))
