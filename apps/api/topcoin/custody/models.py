"""The tables of real money in and out: `deposits` and `withdrawals`. Wallets are the ledger's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.custody.domain import WITHDRAWAL_APPROVED, DepositStatus, WithdrawalStatus
from topcoin.infra.database.tables import (
    Amount,
    Base,
    CreatedAt,
    CustomerRow,
    EnumText,
    Quantity,
    StaffId,
    are_numbers,
    check,
    not_blank,
    of_account,
    one_of,
    quoted,
)

_ZERO = text("0")
_FALSE = text("false")

_APPROVED = quoted(sorted(WITHDRAWAL_APPROVED))


class Deposit(CustomerRow, Base):
    """One payment that a customer was asked for at the processor, and what became of it."""

    __tablename__ = "deposits"
    __table_args__: Any = (
        of_account(),
        UniqueConstraint("user_id", "payment_id"),
        UniqueConstraint("user_id", "order_id"),
        one_of("status", DepositStatus),
        are_numbers(
            "price_amount",
            "crypto_amount",
            "actually_paid",
            "outcome_amount",
            "rate",
            "usd_equivalent",
            "fees",
            "credited_amount",
        ),
        check("price_amount_positive", "price_amount > 0"),
        check("crypto_amount_positive", "crypto_amount > 0"),
        check("actually_paid_not_negative", "actually_paid >= 0"),
        check("outcome_amount_not_negative", "outcome_amount >= 0"),
        check("outcome_has_currency", "(outcome_amount IS NULL) = (outcome_currency IS NULL)"),
        check("rate_positive", "rate > 0"),
        check("usd_equivalent_not_negative", "usd_equivalent >= 0"),
        check("fees_not_negative", "fees >= 0"),
        check("confirmations_not_negative", "confirmations >= 0"),
        not_blank("crypto_currency"),
        not_blank("outcome_currency"),
        not_blank("network"),
        not_blank("order_id"),
        not_blank("payment_id"),
        not_blank("parent_payment_id"),
        not_blank("pay_address"),
        not_blank("transaction_hash"),
        check("not_its_own_parent", "parent_payment_id <> payment_id"),
        check("address_from_payment", "pay_address IS NULL OR payment_id IS NOT NULL"),
        # CUS-1: a confirmed deposit is a credited one; a refund later leaves the fact of the credit.
        check("confirmed_is_credited", "status <> 'confirmed' OR credited_at IS NOT NULL"),
        check("credited_only_when_confirmed", "credited_at IS NULL OR status IN ('confirmed', 'refunded')"),
        check("credited_has_amount", "(credited_at IS NULL) = (credited_amount IS NULL) AND credited_amount > 0"),
        check("credited_is_net", "credited_amount IS NULL OR credited_amount = usd_equivalent - fees"),
        check("credited_has_payment", "credited_at IS NULL OR payment_id IS NOT NULL AND usd_equivalent IS NOT NULL"),
        check("credited_after_made", "credited_at >= created_at"),
        check("expires_after_made", "expires_at > created_at"),
        check("provider_payload_object", "jsonb_typeof(provider_payload) = 'object'"),
        Index(None, "user_id", "account_id", "created_at"),
        Index(None, "payment_id"),
        Index(None, "order_id"),
        Index(None, "parent_payment_id", postgresql_where=text("parent_payment_id IS NOT NULL")),
        Index(None, "status", "created_at"),
        Index(None, "created_at"),
        Index(None, "credited_at", postgresql_where=text("credited_at IS NOT NULL")),
        Index("ix_deposits_unreconciled", "created_at", postgresql_where=text("NOT reconciled")),
        {
            "comment": "Real money coming in through the payment processor",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
        },
    )

    account_id: Mapped[UUID]
    price_amount: Mapped[Amount] = mapped_column(comment="USD that the customer asked to deposit")
    crypto_amount: Mapped[Quantity | None] = mapped_column(comment="Coins to be sent, in crypto_currency")
    crypto_currency: Mapped[str] = mapped_column(comment="The coin, in the provider's ticker")
    network: Mapped[str | None]
    actually_paid: Mapped[Quantity | None] = mapped_column(comment="Coins that arrived, in crypto_currency")
    outcome_amount: Mapped[Quantity | None] = mapped_column(comment="What reached the wallet, in outcome_currency")
    outcome_currency: Mapped[str | None] = mapped_column(comment="The wallet's settlement coin")
    rate: Mapped[Amount | None] = mapped_column(comment="USD for one coin of crypto_currency")
    usd_equivalent: Mapped[Amount | None] = mapped_column(comment="USD value of what arrived, before fees")
    fees: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="USD kept by provider and network")
    credited_amount: Mapped[Amount | None] = mapped_column(comment="USD credited: usd_equivalent less fees")
    status: Mapped[DepositStatus] = mapped_column(EnumText(DepositStatus), server_default=DepositStatus.PENDING)
    order_id: Mapped[str] = mapped_column(comment="Our name for the payment at the provider")
    payment_id: Mapped[str | None] = mapped_column(comment="The provider's; NULL until it has answered")
    parent_payment_id: Mapped[str | None] = mapped_column(comment="The payment whose address was paid again")
    pay_address: Mapped[str | None] = mapped_column(comment="Where the customer sends the coins")
    transaction_hash: Mapped[str | None]
    confirmations: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    provider_payload: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB, comment="The provider's latest own account of the payment, as received"
    )
    reconciled: Mapped[bool] = mapped_column(
        server_default=_FALSE, comment="Whether ledger and provider have been found to agree on it"
    )
    expires_at: Mapped[datetime | None] = mapped_column(comment="Until when the provider awaits the coins")
    credited_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Withdrawal(CustomerRow, Base):
    """One request for money out. Its clock runs from `created_at`; the customer sees each step with its time."""

    __tablename__ = "withdrawals"
    __table_args__: Any = (
        of_account(),
        ForeignKeyConstraint(["wallet_id"], ["wallets.id"], ondelete="RESTRICT"),
        UniqueConstraint("user_id", "provider_payout_id"),
        one_of("status", WithdrawalStatus),
        are_numbers("requested_amount", "approved_amount", "sent_amount", "network_fee", "processing_fee"),
        check("requested_amount_positive", "requested_amount > 0"),
        # CUS-2: here, and where it is completed.
        check("approved_within_requested", "approved_amount > 0 AND approved_amount <= requested_amount"),
        check("sent_within_approved", "sent_amount > 0 AND sent_amount <= approved_amount"),
        check("fees_not_negative", "network_fee >= 0 AND processing_fee >= 0"),
        check("revision_from_one", "revision >= 1"),
        not_blank("payout_address"),
        not_blank("payout_currency"),
        not_blank("network"),
        not_blank("transaction_hash"),
        not_blank("provider_payout_id"),
        not_blank("provider_batch_id"),
        not_blank("review_notes"),
        check("approved_has_amount", f"status NOT IN ({_APPROVED}) OR approved_amount IS NOT NULL"),
        check("approved_amount_has_time", "(approved_amount IS NULL) = (approved_at IS NULL)"),
        # CUS-3: no approval that the AML rules have not let pass.
        check("approved_is_cleared", "approved_at IS NULL OR aml_cleared_at IS NOT NULL"),
        check("unapproved_when_pending", "status <> 'pending' OR approved_at IS NULL"),
        check("reviewed_by_has_time", "reviewed_by IS NULL OR reviewed_at IS NOT NULL"),
        check("not_reviewed_by_self", "reviewed_by <> user_id"),
        # CUS-3, P7: a refusal has a reason, which the customer reads.
        check(
            "rejected_has_reason",
            "(status = 'rejected') = (rejection_reason IS NOT NULL) AND coalesce(btrim(rejection_reason), '-') <> ''",
        ),
        # CUS-4: each step of a withdrawal has its time, and the times are in order.
        check("rejected_has_time", "(status = 'rejected') = (rejected_at IS NOT NULL)"),
        check("rejected_is_reviewed", "status <> 'rejected' OR reviewed_by IS NOT NULL"),
        check("cancelled_has_time", "(status = 'cancelled') = (cancelled_at IS NOT NULL)"),
        check("cancelled_only_unapproved", "cancelled_at IS NULL OR approved_at IS NULL"),
        check(
            "processing_has_time",
            "status NOT IN ('processing', 'completed', 'failed_review') OR processing_at IS NOT NULL",
        ),
        check("processing_only_approved", "processing_at IS NULL OR approved_at IS NOT NULL"),
        check("processing_after_approved", "processing_at >= approved_at"),
        check("failed_has_time", "status <> 'failed_review' OR failed_at IS NOT NULL"),
        check("completed_has_time", "(status = 'completed') = (completed_at IS NOT NULL)"),
        check("completed_is_sent", "(status = 'completed') = (sent_amount IS NOT NULL)"),
        # CUS-2: what was held is then used up to the last step: sent, or kept as a fee that was shown before.
        check("sent_and_fees_use_approved", "sent_amount + network_fee + processing_fee = approved_amount"),
        # CUS-3, T3: a payout is complete only by a record of the provider or the chain.
        check(
            "completed_has_record",
            "status <> 'completed' OR transaction_hash IS NOT NULL OR provider_payout_id IS NOT NULL",
        ),
        check("completed_after_processing", "completed_at >= processing_at"),
        check(
            "steps_after_made",
            "least(aml_cleared_at, reviewed_at, approved_at, rejected_at, cancelled_at) >= created_at",
        ),
        # CUS-4: nothing is overdue before its deadline.
        check("deadlines_after_made", "decide_by > created_at AND send_by > created_at"),
        check("overdue_after_deadline", "overdue_since >= least(decide_by, send_by)"),
        Index(None, "user_id", "account_id", "created_at"),
        Index(None, "wallet_id", postgresql_where=text("wallet_id IS NOT NULL")),
        Index(None, "provider_payout_id", postgresql_where=text("provider_payout_id IS NOT NULL")),
        Index(None, "payout_address"),
        Index(None, "status", "created_at"),
        Index(None, "created_at"),
        Index("ix_withdrawals_undecided", "decide_by", postgresql_where=text("status = 'pending'")),
        Index("ix_withdrawals_unsent", "send_by", postgresql_where=text("status IN ('approved', 'processing')")),
        Index(None, "overdue_since", postgresql_where=text("overdue_since IS NOT NULL")),
        Index(None, "completed_at", postgresql_where=text("completed_at IS NOT NULL")),
        {
            "comment": "Real money going out, from request to payout",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
        },
    )

    account_id: Mapped[UUID]
    wallet_id: Mapped[UUID | None] = mapped_column(comment="The wallet it is reserved in and paid from")
    requested_amount: Mapped[Amount] = mapped_column(comment="USD asked for, fees included")
    approved_amount: Mapped[Amount | None] = mapped_column(comment="USD approved, fees included")
    sent_amount: Mapped[Amount | None] = mapped_column(comment="USD sent: approved_amount less fees")
    network_fee: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="USD charged to the customer")
    processing_fee: Mapped[Amount] = mapped_column(server_default=_ZERO, comment="USD charged to the customer")
    status: Mapped[WithdrawalStatus] = mapped_column(
        EnumText(WithdrawalStatus), server_default=WithdrawalStatus.PENDING
    )
    revision: Mapped[int] = mapped_column(
        server_default=text("1"), comment="Counts the customer's edits; an approval names the one it saw"
    )
    payout_address: Mapped[str]
    payout_currency: Mapped[str] = mapped_column(comment="The coin, in the provider's ticker")
    network: Mapped[str | None]
    transaction_hash: Mapped[str | None]
    provider_batch_id: Mapped[str | None] = mapped_column(comment="The provider's payout batch")
    provider_payout_id: Mapped[str | None] = mapped_column(comment="The provider's payout within the batch")
    reviewed_by: Mapped[StaffId | None]
    reviewed_at: Mapped[datetime | None]
    review_notes: Mapped[str | None] = mapped_column(comment="For staff")
    rejection_reason: Mapped[str | None] = mapped_column(comment="Read by the customer")
    aml_cleared_at: Mapped[datetime | None] = mapped_column(
        comment="When the AML rules let it pass; it waits until then"
    )
    approved_at: Mapped[datetime | None]
    processing_at: Mapped[datetime | None] = mapped_column(comment="When the first payout was attempted")
    completed_at: Mapped[datetime | None]
    rejected_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None] = mapped_column(comment="When a payout last failed")
    decide_by: Mapped[datetime] = mapped_column(comment="Deadline of the decision (T1)")
    send_by: Mapped[datetime | None] = mapped_column(comment="Deadline of the payout, once approved (T1)")
    overdue_since: Mapped[datetime | None] = mapped_column(comment="Since when a deadline has been missed (T1)")
    created_at: Mapped[CreatedAt]
