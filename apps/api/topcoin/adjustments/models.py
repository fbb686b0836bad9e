"""The table of the operator's adjustments. A decided row never changes again (ADJ-3, LED-4)."""

from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.adjustments.domain import CREDITS_ONLY, DEBITS_ONLY, TWO_PEOPLE_FROM, AdjustmentStatus, AdjustmentType
from topcoin.infra.database.tables import (
    Amount,
    Base,
    CreatedAt,
    CustomerRow,
    EnumText,
    StaffId,
    are_numbers,
    check,
    not_blank,
    of_account,
    one_of,
    quoted,
)
from topcoin.kernel.money import Unit

_REAL_TYPES = quoted(kind for kind in AdjustmentType if kind.unit is Unit.USD)
_CREDITS_ONLY = quoted(sorted(CREDITS_ONLY))
_DECISION = (
    *("status", "approved_by", "approved_at", "rejected_by", "rejected_at", "rejection_reason"),
    *("previous_balance", "new_balance", "written_off", "journal_id"),
)
_DEBITS_ONLY = quoted(sorted(DEBITS_ONLY))


class AdminAdjustment(CustomerRow, Base):
    """One change of a balance that the operator asked for: pending, or decided for good."""

    __tablename__ = "admin_adjustments"
    __table_args__: Any = (
        of_account(),
        ForeignKeyConstraint(
            ["user_id", "corrects_id"], ["admin_adjustments.user_id", "admin_adjustments.id"], ondelete="RESTRICT"
        ),
        UniqueConstraint("user_id", "journal_id"),
        one_of("adjustment_type", AdjustmentType),
        one_of("unit", Unit),
        one_of("status", AdjustmentStatus),
        are_numbers("amount", "redeemed_amount", "written_off", "previous_balance", "new_balance"),
        # P1: only a profit approval is real money.
        check("unit_of_type", f"(unit = '{Unit.USD}') = (adjustment_type IN ({_REAL_TYPES}))"),
        check("amount_not_zero", "amount <> 0"),
        check("credit_positive", f"adjustment_type NOT IN ({_CREDITS_ONLY}) OR amount > 0"),
        check("debit_negative", f"adjustment_type NOT IN ({_DEBITS_ONLY}) OR amount < 0"),
        check("profit_is_redeemed", "(adjustment_type = 'profit_approval') = (redeemed_amount IS NOT NULL)"),
        check("redeemed_covers_amount", "redeemed_amount >= amount"),
        check("corrects_only_as_correction", "corrects_id IS NULL OR adjustment_type = 'correction'"),
        check("corrects_another", "corrects_id <> id"),
        check(
            "written_off_only_as_correction", "written_off = 0 OR written_off > 0 AND adjustment_type = 'correction'"
        ),
        not_blank("reason"),
        not_blank("reference_id"),
        not_blank("evidence"),
        # ADJ-1, P8: two people, and never the same one twice.
        check("profit_needs_approval", "requires_approval OR adjustment_type <> 'profit_approval'"),
        check("large_needs_approval", f"requires_approval OR abs(amount) < {TWO_PEOPLE_FROM}"),
        check("maker_is_not_checker", "approved_by <> admin_user_id AND rejected_by <> admin_user_id"),
        check("not_on_own_account", "admin_user_id <> user_id AND approved_by <> user_id"),
        check("pending_needs_approval", "requires_approval OR status = 'approved'"),
        check("expiry_when_awaited", "requires_approval = (expires_at IS NOT NULL) AND expires_at > created_at"),
        check("approved_has_time", "(status = 'approved') = (approved_at IS NOT NULL)"),
        check("approved_by_checker", "(approved_by IS NOT NULL) = (status = 'approved' AND requires_approval)"),
        check("approved_after_made", "approved_at >= created_at"),
        check("rejected_has_time", "(status = 'rejected') = (rejected_at IS NOT NULL)"),
        check("rejected_by_checker", "(rejected_at IS NULL) = (rejected_by IS NULL)"),
        check(
            "rejected_has_reason",
            "(status = 'rejected') = (rejection_reason IS NOT NULL) AND coalesce(btrim(rejection_reason), '-') <> ''",
        ),
        check("rejected_after_made", "rejected_at >= created_at"),
        # ADJ-2: what was approved was posted.
        check("posted_when_approved", "(status = 'approved') = (journal_id IS NOT NULL)"),
        check(
            "balances_when_approved",
            "(status = 'approved') = (previous_balance IS NOT NULL)"
            " AND (status = 'approved') = (new_balance IS NOT NULL)",
        ),
        check("balances_differ_by_amount", "new_balance = previous_balance + amount + written_off"),
        Index(None, "user_id", "account_id", "created_at"),
        Index(None, "user_id", "corrects_id", postgresql_where=text("corrects_id IS NOT NULL")),
        Index(None, "admin_user_id", "created_at"),
        Index(None, "status", "expires_at"),
        Index(None, "created_at"),
        {
            "comment": "The operator's adjustments of balances, with who asked, why, and who approved",
            "info": {
                "placement": "customer",
                "grants": (
                    "INSERT",
                    f"UPDATE ({', '.join(_DECISION)})",
                ),
            },
        },
    )

    account_id: Mapped[UUID]
    admin_user_id: Mapped[StaffId]
    adjustment_type: Mapped[AdjustmentType] = mapped_column(EnumText(AdjustmentType))
    amount: Mapped[Amount] = mapped_column(comment="In unit; positive credits, negative debits")
    unit: Mapped[Unit] = mapped_column(EnumText(Unit), comment="USD for a profit approval, otherwise VUSD")
    redeemed_amount: Mapped[Amount | None] = mapped_column(
        comment="VUSD that leaves the virtual balance for an approved profit; amount is the customer's share of it"
    )
    written_off: Mapped[Amount] = mapped_column(
        server_default=text("0"), comment="VUSD of a correction that had been traded away already, borne by the house"
    )
    corrects_id: Mapped[UUID | None] = mapped_column(comment="The adjustment that a correction takes back")
    previous_balance: Mapped[Decimal | None] = mapped_column(
        comment="In unit, as the ledger had it: the virtual book, or profit for a profit approval"
    )
    new_balance: Mapped[Decimal | None] = mapped_column(comment="In unit, as the ledger has it since")
    reason: Mapped[str] = mapped_column(comment="Read by the customer")
    reference_id: Mapped[str | None] = mapped_column(comment="The operator's reference to data outside")
    evidence: Mapped[str | None] = mapped_column(comment="The hash of a file, or a URL")
    status: Mapped[AdjustmentStatus] = mapped_column(
        EnumText(AdjustmentStatus), server_default=AdjustmentStatus.PENDING
    )
    requires_approval: Mapped[bool] = mapped_column(comment="Whether two people are needed")
    approved_by: Mapped[StaffId | None]
    approved_at: Mapped[datetime | None] = mapped_column(comment="When it was approved and posted")
    rejected_by: Mapped[StaffId | None]
    rejected_at: Mapped[datetime | None]
    rejection_reason: Mapped[str | None]
    expires_at: Mapped[datetime | None] = mapped_column(comment="Until when it can be approved, if approval is needed")
    journal_id: Mapped[UUID | None] = mapped_column(comment="The ledger's journal that posted it")
    ip_address: Mapped[IPv4Address | IPv6Address | None] = mapped_column(INET, comment="The maker's")
    user_agent: Mapped[str | None] = mapped_column(comment="The maker's")
    created_at: Mapped[CreatedAt]
