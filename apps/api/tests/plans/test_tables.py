from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, insert, investment_row, make_account, make_plan, plan_row
from support.rules import check_nan_refused, check_rules

RETURNS = ("current_return", "monthly_return", "quarterly_return", "ytd_return")


async def test_every_rule_of_plans_refuses_what_breaks_it(session: AsyncSession) -> None:
    """PLN-2 by `returns_possible`, PLN-3 by `open_only_while_active`."""
    plan = plan_row(maximum_investment=Decimal(100), **dict.fromkeys(RETURNS, Decimal(-1)))
    await check_rules(
        session,
        "ai_investment_plans",
        {
            "name_not_blank": [(plan, {"name": " "})],
            "risk_profile_known": [(plan, {"risk_profile": "reckless"})],
            "numbers": [(plan, {"ytd_return": Decimal("NaN")})],
            "returns_possible": [(plan, {column: Decimal("-1.00000001")}) for column in RETURNS],
            "equity_curve_array": [(plan, {"equity_curve": {}})],
            "total_invested_not_negative": [(plan, {"total_invested": Decimal(-1)})],
            "active_investors_not_negative": [(plan, {"active_investors": -1})],
            "minimum_investment_positive": [(plan, {"minimum_investment": Decimal(0)})],
            "maximum_investment_over_minimum": [(plan, {"maximum_investment": Decimal("99.99999999")})],
            "open_only_while_active": [(plan, {"is_active": False})],
        },
    )
    await check_nan_refused(session, "ai_investment_plans", plan)


async def test_every_rule_of_investments_refuses_what_breaks_it(session: AsyncSession) -> None:
    """PLN-1."""
    account, plan_id = await make_account(session), await make_plan(session)
    held = investment_row(account, plan_id)
    nothing = {"allocated_amount": Decimal(0), "units": Decimal(0), "current_value": Decimal(0)}
    closed = investment_row(account, plan_id, **nothing, unrealized_pnl=Decimal(0), is_active=False, closed_at=NOW)
    await check_rules(
        session,
        "user_investments",
        {
            "numbers": [(held, {"return_pct": Decimal("NaN")})],
            "active_holds_units": [
                (held, {"units": Decimal(0)}),
                (held, {"allocated_amount": Decimal(0), "unrealized_pnl": Decimal(105)}),
                (closed, {"units": Decimal(1)}),
            ],
            "closed_is_empty": [
                (closed, {"allocated_amount": Decimal(1), "unrealized_pnl": Decimal(-1)}),
                (closed, {"current_value": Decimal(1), "unrealized_pnl": Decimal(1)}),
            ],
            "current_value_not_negative": [(held, {"current_value": Decimal(-1), "unrealized_pnl": Decimal(-101)})],
            "return_possible": [(held, {"return_pct": Decimal("-100.00000001")})],
            "unrealized_pnl_adds_up": [(held, {"unrealized_pnl": Decimal(6)})],
            "closed_has_time": [(closed, {"closed_at": None}), (held, {"closed_at": NOW})],
            "closed_after_opened": [(closed, {"closed_at": NOW - timedelta(seconds=1)})],
        },
    )
    await check_nan_refused(session, "user_investments", held)


async def test_plans_are_told_apart_by_name(session: AsyncSession) -> None:
    await make_plan(session, name="Balanced")
    with pytest.raises(IntegrityError, match="uq_ai_investment_plans_name"):
        await make_plan(session, name="Balanced")


async def test_a_plan_that_somebody_invested_in_must_exist(session: AsyncSession) -> None:
    account = await make_account(session)
    with pytest.raises(IntegrityError, match="fk_user_investments_plan_id"):
        await insert(session, "user_investments", investment_row(account, account.account_id))
