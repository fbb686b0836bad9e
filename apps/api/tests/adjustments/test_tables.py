from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import (
    NOW,
    AccountKey,
    Row,
    account_row,
    adjustment_row,
    approved_adjustment_row,
    insert,
    insert_now,
    make_account,
    user_row,
)
from support.rules import check_nan_refused, check_rules

from topcoin.kernel.ids import new_id

EARLIER = NOW - timedelta(seconds=1)


def small_row(account: AccountKey, **changes: object) -> Row:
    """An adjustment that one person may make, posted at once."""
    return approved_adjustment_row(
        account,
        **{
            "amount": Decimal(10),
            "requires_approval": False,
            "approved_by": None,
            "expires_at": None,
            "new_balance": Decimal(510),
            **changes,
        },
    )


def rejected_row(account: AccountKey, **changes: object) -> Row:
    """An adjustment that the second person refused."""
    return adjustment_row(
        account,
        **{
            "status": "rejected",
            "rejected_by": new_id(),
            "rejected_at": NOW,
            "rejection_reason": "No evidence",
            **changes,
        },
    )


def profit_row(account: AccountKey, **changes: object) -> Row:
    """Profit asked to be approved: 80 of 100."""
    return adjustment_row(
        account,
        **{
            "adjustment_type": "profit_approval",
            "unit": "USD",
            "amount": Decimal(80),
            "redeemed_amount": Decimal(100),
            **changes,
        },
    )


async def test_every_rule_of_adjustments_refuses_what_breaks_it(session: AsyncSession) -> None:
    """ADJ-1 by the rules about maker and checker, ADJ-2 by those about what was posted."""
    account = await make_account(session)
    pending, approved, small = adjustment_row(account), approved_adjustment_row(account), small_row(account)
    rejected, profit = rejected_row(account), profit_row(account)
    correction = approved_adjustment_row(
        account, adjustment_type="correction", amount=Decimal(-700), written_off=Decimal(200), new_balance=Decimal(0)
    )
    await check_rules(
        session,
        "admin_adjustments",
        {
            "adjustment_type_known": [(pending, {"adjustment_type": "gift"})],
            "unit_known": [(pending, {"unit": "EUR"})],
            "status_known": [(pending, {"status": "perhaps"})],
            "numbers": [(pending, {"amount": Decimal("NaN")})],
            "unit_of_type": [(pending, {"unit": "USD"}), (profit, {"unit": "VUSD"})],
            "amount_not_zero": [(pending, {"amount": Decimal(0)})],
            "credit_positive": [
                (adjustment_row(account, adjustment_type=kind), {"amount": Decimal(-1)})
                for kind in ("manual_profit", "bonus", "fee_refund")
            ]
            + [(profit, {"amount": Decimal(-1)})],
            "debit_negative": [
                (adjustment_row(account, adjustment_type="manual_loss", amount=Decimal(-1)), {"amount": Decimal(1)})
            ],
            "profit_is_redeemed": [(profit, {"redeemed_amount": None}), (pending, {"redeemed_amount": Decimal(9999)})],
            "redeemed_covers_amount": [(profit, {"redeemed_amount": Decimal("79.99999999")})],
            "corrects_only_as_correction": [(pending, {"corrects_id": new_id()})],
            "corrects_another": [(correction, {"corrects_id": correction["id"]})],
            "written_off_only_as_correction": [
                (correction, {"adjustment_type": "equity_adjustment"}),
                (correction, {"written_off": Decimal(-200), "new_balance": Decimal(-400)}),
            ],
            "reason_not_blank": [(pending, {"reason": "  "})],
            "reference_id_not_blank": [(pending, {"reference_id": ""})],
            "evidence_not_blank": [(pending, {"evidence": ""})],
            "profit_needs_approval": [
                (
                    profit_row(
                        account,
                        status="approved",
                        approved_by=new_id(),
                        approved_at=NOW,
                        journal_id=new_id(),
                        previous_balance=Decimal(0),
                        new_balance=Decimal(80),
                    ),
                    {"requires_approval": False, "approved_by": None, "expires_at": None},
                )
            ],
            "large_needs_approval": [
                (small, {"amount": Decimal(1000), "new_balance": Decimal(1500)}),
                (small, {"amount": Decimal(-1000), "new_balance": Decimal(-500)}),
            ],
            "maker_is_not_checker": [
                (approved, {"approved_by": approved["admin_user_id"]}),
                (rejected, {"rejected_by": rejected["admin_user_id"]}),
            ],
            "not_on_own_account": [
                (pending, {"admin_user_id": account.user_id}),
                (approved, {"approved_by": account.user_id}),
            ],
            "pending_needs_approval": [
                (adjustment_row(account, amount=Decimal(1)), {"requires_approval": False, "expires_at": None})
            ],
            "expiry_when_awaited": [
                (pending, {"expires_at": None}),
                (small, {"expires_at": NOW + timedelta(days=1)}),
                (pending, {"expires_at": NOW}),
            ],
            "approved_has_time": [(approved, {"approved_at": None})],
            "approved_by_checker": [(approved, {"approved_by": None}), (small, {"approved_by": new_id()})],
            "approved_after_made": [(approved, {"approved_at": EARLIER})],
            "rejected_has_time": [
                (rejected, {"rejected_at": None, "rejected_by": None}),
                (pending, {"rejected_at": NOW, "rejected_by": new_id()}),
            ],
            "rejected_by_checker": [(rejected, {"rejected_by": None})],
            "rejected_has_reason": [
                (rejected, {"rejection_reason": None}),
                (rejected, {"rejection_reason": " "}),
                (pending, {"rejection_reason": "No evidence"}),
            ],
            "rejected_after_made": [(rejected, {"rejected_at": EARLIER})],
            "posted_when_approved": [(approved, {"journal_id": None}), (pending, {"journal_id": new_id()})],
            "balances_when_approved": [
                (approved, {"previous_balance": None}),
                (approved, {"new_balance": None}),
                (pending, {"previous_balance": Decimal(0)}),
            ],
            "balances_differ_by_amount": [
                (approved, {"new_balance": Decimal("10000.00000001")}),
                (correction, {"written_off": Decimal(0)}),
            ],
        },
    )
    await check_nan_refused(session, "admin_adjustments", correction)


async def test_a_correction_names_an_adjustment_of_the_same_customer(session: AsyncSession) -> None:
    account, other = await make_account(session), await make_account(session)
    mistake = approved_adjustment_row(account)
    await insert(session, "admin_adjustments", mistake)
    names = {"adjustment_type": "correction", "corrects_id": mistake["id"]}
    with pytest.raises(IntegrityError, match="fk_admin_adjustments_user_id_corrects_id"):
        async with session.begin_nested():
            await insert(session, "admin_adjustments", adjustment_row(other, **names))
    await insert(session, "admin_adjustments", adjustment_row(account, **names))


async def test_an_account_of_another_customer_cannot_be_named(session: AsyncSession) -> None:
    account, other = await make_account(session), await make_account(session)
    crossed = AccountKey(account.user_id, other.account_id)
    with pytest.raises(IntegrityError, match="fk_admin_adjustments_user_id_account_id_accounts"):
        await insert(session, "admin_adjustments", adjustment_row(crossed))


async def test_a_pending_adjustment_is_decided_once(session: AsyncSession) -> None:
    """ADJ-3, LED-4: the one change that an adjustment sees is its decision."""
    pending = adjustment_row(await make_account(session))
    await insert(session, "admin_adjustments", pending)
    decide = text("UPDATE admin_adjustments SET status = 'expired' WHERE id = :id")
    await session.execute(decide, {"id": pending["id"]})
    with pytest.raises(DBAPIError, match="admin_adjustments is append-only: UPDATE") as refused:
        await session.execute(decide, {"id": pending["id"]})
    assert getattr(refused.value.orig, "sqlstate", None) == "TC001"


@pytest.mark.parametrize(
    "change", ["amount = 1", "reason = 'other'", "admin_user_id = gen_random_uuid()", "requires_approval = false"]
)
async def test_the_application_cannot_change_what_was_asked_for(session: AsyncSession, change: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await session.execute(text(f"UPDATE admin_adjustments SET {change}"))  # noqa: S608 - the test's own


@pytest.mark.parametrize(
    ("row_of", "statement"),
    [
        (approved_adjustment_row, "UPDATE admin_adjustments SET reason = 'other'"),
        (rejected_row, "UPDATE admin_adjustments SET status = 'pending'"),
        (approved_adjustment_row, "DELETE FROM admin_adjustments"),
        (adjustment_row, "DELETE FROM admin_adjustments"),
        (adjustment_row, "TRUNCATE admin_adjustments"),
    ],
)
def test_the_owner_cannot_rewrite_either(
    owner_connection: psycopg.Connection, row_of: Callable[[AccountKey], Row], statement: str
) -> None:
    """ADJ-3, LED-4."""
    user = user_row()
    account = AccountKey(user["id"], new_id())
    for table, row in (
        ("users", user),
        ("accounts", account_row(account.user_id, id=account.account_id)),
        ("admin_adjustments", row_of(account)),
    ):
        insert_now(owner_connection, table, row)
    with pytest.raises(psycopg.DatabaseError, match="is append-only") as refused:
        owner_connection.execute(statement.encode())
    assert refused.value.sqlstate == "TC001"
