from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import (
    NOW,
    AccountKey,
    Row,
    approved_withdrawal_row,
    completed_withdrawal_row,
    credited_deposit_row,
    deposit_row,
    insert,
    make_account,
    withdrawal_row,
)
from support.rules import check_nan_refused, check_rules

from topcoin.kernel.ids import new_id

EARLIER = NOW - timedelta(seconds=1)
LATER = NOW + timedelta(seconds=1)

RowOf = Callable[[AccountKey], Row]


async def test_every_rule_of_deposits_refuses_what_breaks_it(session: AsyncSession) -> None:
    """CUS-1, by the rules about what is credited."""
    account = await make_account(session)
    pending, credited = deposit_row(account), credited_deposit_row(account)
    full = credited_deposit_row(
        account,
        outcome_amount=Decimal(498),
        outcome_currency="usdttrc20",
        rate=Decimal(100000),
        network="btc",
        parent_payment_id="1",
        transaction_hash="0xexample",
        confirmations=6,
        provider_payload={"payment_status": "finished"},
        expires_at=LATER,
    )
    minus = Decimal("-0.00000001")
    await check_rules(
        session,
        "deposits",
        {
            "status_known": [(pending, {"status": "waiting"})],
            "numbers": [(pending, {"crypto_amount": Decimal("NaN")})],
            "price_amount_positive": [(full, {"price_amount": Decimal(0)})],
            "crypto_amount_positive": [(full, {"crypto_amount": Decimal(0)})],
            "actually_paid_not_negative": [(full, {"actually_paid": minus})],
            "outcome_amount_not_negative": [(full, {"outcome_amount": minus})],
            "outcome_has_currency": [(full, {"outcome_currency": None}), (full, {"outcome_amount": None})],
            "rate_positive": [(full, {"rate": Decimal(0)})],
            "usd_equivalent_not_negative": [
                (deposit_row(account, usd_equivalent=Decimal(0)), {"usd_equivalent": minus})
            ],
            "fees_not_negative": [(pending, {"fees": minus})],
            "confirmations_not_negative": [(full, {"confirmations": -1})],
            **{
                f"{column}_not_blank": [(full, {column: " "})]
                for column in (
                    "crypto_currency",
                    "outcome_currency",
                    "network",
                    "order_id",
                    "payment_id",
                    "parent_payment_id",
                    "pay_address",
                    "transaction_hash",
                )
            },
            "not_its_own_parent": [(full, {"parent_payment_id": full["payment_id"]})],
            "address_from_payment": [(pending, {"payment_id": None})],
            "confirmed_is_credited": [(credited, {"credited_at": None, "credited_amount": None})],
            "credited_only_when_confirmed": [
                (credited, {"status": status}) for status in ("pending", "under_review", "expired", "returned")
            ],
            "credited_has_amount": [
                (credited, {"credited_amount": None}),
                (pending, {"credited_amount": Decimal(1)}),
                (credited, {"credited_amount": Decimal(0), "fees": Decimal(500)}),
            ],
            "credited_is_net": [(credited, {"credited_amount": Decimal("498.00000001")})],
            "credited_has_payment": [
                (credited, {"payment_id": None, "pay_address": None}),
                (credited, {"usd_equivalent": None}),
            ],
            "credited_after_made": [(credited, {"credited_at": EARLIER})],
            "expires_after_made": [(full, {"expires_at": NOW})],
            "provider_payload_object": [(full, {"provider_payload": ["finished"]})],
        },
    )
    await check_nan_refused(session, "deposits", full)


async def test_a_refunded_deposit_keeps_the_fact_of_its_credit(session: AsyncSession) -> None:
    """CUS-1."""
    await insert(session, "deposits", credited_deposit_row(await make_account(session), status="refunded"))


@pytest.mark.parametrize("column", ["payment_id", "order_id"])
async def test_a_payment_is_one_deposit(session: AsyncSession, column: str) -> None:
    account = await make_account(session)
    await insert(session, "deposits", deposit_row(account, **{column: "7"}))
    with pytest.raises(IntegrityError, match=f"uq_deposits_user_id_{column}"):
        await insert(session, "deposits", deposit_row(account, **{column: "7"}))


@pytest.mark.parametrize(("table", "row_of"), [("deposits", deposit_row), ("withdrawals", withdrawal_row)])
async def test_an_account_of_another_customer_cannot_be_named(session: AsyncSession, table: str, row_of: RowOf) -> None:
    account, other = await make_account(session), await make_account(session)
    with pytest.raises(IntegrityError, match=f"fk_{table}_user_id_account_id_accounts"):
        await insert(session, table, row_of(AccountKey(account.user_id, other.account_id)))


async def test_every_rule_of_withdrawals_refuses_what_breaks_it(session: AsyncSession) -> None:
    """CUS-2 by the rules about amounts, CUS-3 about approval, record and reason, CUS-4 about times."""
    account = await make_account(session)
    pending, approved, completed = (
        row_of(account) for row_of in (withdrawal_row, approved_withdrawal_row, completed_withdrawal_row)
    )
    rejected = withdrawal_row(
        account,
        status="rejected",
        rejection_reason="The address is not yours",
        rejected_at=NOW,
        reviewed_by=new_id(),
        reviewed_at=NOW,
    )
    cancelled = withdrawal_row(account, status="cancelled", cancelled_at=NOW)
    processing = approved_withdrawal_row(account, status="processing", processing_at=NOW)
    failed = approved_withdrawal_row(account, status="failed_review", processing_at=NOW, failed_at=NOW)
    texts = withdrawal_row(
        account,
        network="trx",
        transaction_hash="0xexample",
        provider_payout_id="1",
        provider_batch_id="1",
        review_notes="Looks fine",
    )
    tiny = Decimal("0.00000001")
    unapproved = {"approved_amount": None, "approved_at": None}
    await check_rules(
        session,
        "withdrawals",
        {
            "status_known": [(pending, {"status": "sent"})],
            "numbers": [(pending, {"requested_amount": Decimal("NaN")})],
            "requested_amount_positive": [(pending, {"requested_amount": Decimal(0)})],
            "approved_within_requested": [
                (approved, {"approved_amount": 100 + tiny}),
                (approved, {"approved_amount": Decimal(0)}),
            ],
            "sent_within_approved": [
                (
                    completed_withdrawal_row(
                        account, network_fee=Decimal(99), sent_amount=Decimal(0) + tiny, processing_fee=1 - tiny
                    ),
                    {"network_fee": Decimal(99), "processing_fee": Decimal(1), "sent_amount": Decimal(0)},
                )
            ],
            "fees_not_negative": [(pending, {"network_fee": -tiny}), (pending, {"processing_fee": -tiny})],
            "revision_from_one": [(pending, {"revision": 0})],
            **{
                f"{column}_not_blank": [(texts, {column: " "})]
                for column in (
                    "payout_address",
                    "payout_currency",
                    "network",
                    "transaction_hash",
                    "provider_payout_id",
                    "provider_batch_id",
                    "review_notes",
                )
            },
            "approved_has_amount": [(approved, unapproved), (processing, unapproved), (completed, unapproved)],
            "approved_amount_has_time": [
                (approved, {"approved_at": None}),
                (pending, {"approved_amount": Decimal(1)}),
            ],
            "approved_is_cleared": [(approved, {"aml_cleared_at": None})],
            "unapproved_when_pending": [(approved, {"status": "pending"})],
            "reviewed_by_has_time": [(approved, {"reviewed_at": None})],
            "not_reviewed_by_self": [(approved, {"reviewed_by": account.user_id})],
            "rejected_has_reason": [
                (rejected, {"rejection_reason": None}),
                (rejected, {"rejection_reason": " "}),
                (pending, {"rejection_reason": "No"}),
            ],
            "rejected_has_time": [(rejected, {"rejected_at": None}), (pending, {"rejected_at": NOW})],
            "rejected_is_reviewed": [(rejected, {"reviewed_by": None})],
            "cancelled_has_time": [(cancelled, {"cancelled_at": None}), (pending, {"cancelled_at": NOW})],
            "cancelled_only_unapproved": [
                (cancelled, {"approved_amount": Decimal(1), "approved_at": NOW, "aml_cleared_at": NOW})
            ],
            "processing_has_time": [(processing, {"processing_at": None}), (failed, {"processing_at": None})],
            "processing_only_approved": [(pending, {"processing_at": NOW})],
            "processing_after_approved": [(processing, {"processing_at": EARLIER})],
            "failed_has_time": [(failed, {"failed_at": None})],
            "completed_has_time": [(completed, {"completed_at": None}), (approved, {"completed_at": NOW})],
            "completed_is_sent": [(completed, {"sent_amount": None}), (processing, {"sent_amount": Decimal(100)})],
            "sent_and_fees_use_approved": [
                (completed, {"sent_amount": 97 - tiny}),
                (completed, {"processing_fee": Decimal(0)}),
            ],
            "completed_has_record": [(completed, {"transaction_hash": None})],
            "completed_after_processing": [(completed, {"completed_at": EARLIER})],
            "steps_after_made": [
                (rejected, {"reviewed_at": EARLIER}),
                (rejected, {"rejected_at": EARLIER}),
                (cancelled, {"cancelled_at": EARLIER}),
                (approved, {"approved_at": EARLIER}),
                (approved, {"aml_cleared_at": EARLIER}),
            ],
            "deadlines_after_made": [(pending, {"decide_by": NOW}), (approved, {"send_by": NOW})],
            "overdue_after_deadline": [
                (withdrawal_row(account, decide_by=LATER, overdue_since=LATER), {"overdue_since": NOW})
            ],
        },
    )
    await check_nan_refused(session, "withdrawals", completed)
