"""The tables of plans. Every figure of a return is a cache of what the plan's NAV marks say (promise P4)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.infra.database.tables import (
    Amount,
    Base,
    CreatedAt,
    CustomerRow,
    EnumText,
    Fraction,
    Percentage,
    Quantity,
    are_numbers,
    check,
    not_blank,
    of_account,
    one_of,
)
from topcoin.plans.domain import RiskProfile

_ZERO = text("0")
_RETURNS = ("current_return", "monthly_return", "quarterly_return", "ytd_return")


class AiInvestmentPlan(Base):
    """A managed plan that customers may place virtual money in."""

    __tablename__ = "ai_investment_plans"
    __table_args__: Any = (
        UniqueConstraint("name"),
        not_blank("name"),
        one_of("risk_profile", RiskProfile),
        are_numbers(*_RETURNS, "total_invested", "minimum_investment", "maximum_investment"),
        # PLN-2: a plan can lose all that is in it, and not more.
        check("returns_possible", f"least({', '.join(_RETURNS)}) >= -1"),
        check("equity_curve_array", "jsonb_typeof(equity_curve) = 'array'"),
        check("total_invested_not_negative", "total_invested >= 0"),
        check("active_investors_not_negative", "active_investors >= 0"),
        check("minimum_investment_positive", "minimum_investment > 0"),
        check("maximum_investment_over_minimum", "maximum_investment >= minimum_investment"),
        # PLN-3
        check("open_only_while_active", "is_active OR NOT is_open"),
        Index(None, "is_active", "is_open"),
        {
            "comment": "Managed plans; simulated money, results reported by the operator",
            "info": {"placement": "reference", "grants": ("INSERT", "UPDATE")},
        },
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    risk_profile: Mapped[RiskProfile] = mapped_column(EnumText(RiskProfile))
    current_return: Mapped[Fraction | None] = mapped_column(comment="Fraction since inception; NULL before two marks")
    monthly_return: Mapped[Fraction | None] = mapped_column(comment="Fraction, month to date as of the last mark")
    quarterly_return: Mapped[Fraction | None] = mapped_column(comment="Fraction, quarter to date as of the last mark")
    ytd_return: Mapped[Fraction | None] = mapped_column(comment="Fraction, year to date as of the last mark")
    equity_curve: Mapped[list[Any]] = mapped_column(
        JSONB, server_default=text("'[]'::jsonb"), comment="Series for charts, derived from the NAV marks"
    )
    total_invested: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="VUSD, at cost")
    active_investors: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    performance_notes: Mapped[str | None] = mapped_column(comment="The operator's words, shown as such")
    minimum_investment: Mapped[Amount] = mapped_column(comment="VUSD")
    maximum_investment: Mapped[Amount | None] = mapped_column(comment="VUSD for one customer; NULL: no maximum")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"), comment="Managed; closed plans stay listed")
    is_open: Mapped[bool] = mapped_column(server_default=text("true"), comment="Takes new investments")
    created_at: Mapped[CreatedAt]


class UserInvestment(CustomerRow, Base):
    """Units that a customer holds in a plan, bought with virtual money."""

    __tablename__ = "user_investments"
    __table_args__: Any = (
        of_account(),
        ForeignKeyConstraint(["plan_id"], ["ai_investment_plans.id"], ondelete="RESTRICT"),
        are_numbers("allocated_amount", "units", "current_value", "return_pct", "unrealized_pnl"),
        # PLN-1: held or closed, and nothing between.
        check("active_holds_units", "CASE WHEN is_active THEN units > 0 AND allocated_amount > 0 ELSE units = 0 END"),
        check("closed_is_empty", "is_active OR allocated_amount = 0 AND current_value = 0"),
        check("current_value_not_negative", "current_value >= 0"),
        check("return_possible", "return_pct >= -100"),
        check("unrealized_pnl_adds_up", "unrealized_pnl = current_value - allocated_amount"),
        check("closed_has_time", "is_active = (closed_at IS NULL)"),
        check("closed_after_opened", "closed_at >= opened_at"),
        Index(None, "user_id", "account_id", "opened_at"),
        Index(None, "plan_id", "is_active"),
        Index(None, "opened_at"),
        Index(None, "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
        {
            "comment": "Customers' units in plans; simulated money",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
        },
    )

    account_id: Mapped[UUID]
    plan_id: Mapped[UUID]
    allocated_amount: Mapped[Amount] = mapped_column(comment="VUSD: cost of the units held, in the book allocated")
    units: Mapped[Quantity] = mapped_column(comment="Units of the plan held")
    current_value: Mapped[Amount] = mapped_column(comment="VUSD: units at the plan's NAV, when last marked")
    return_pct: Mapped[Percentage] = mapped_column(
        server_default=_ZERO, comment="Per cent, by the plan's NAV since opened"
    )
    unrealized_pnl: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="VUSD: current_value less cost")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    opened_at: Mapped[CreatedAt]
    closed_at: Mapped[datetime | None]
