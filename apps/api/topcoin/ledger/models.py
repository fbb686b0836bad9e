"""Tables of the ledger. `ledger_post` (in SQL) is the one writer of entries and balances; see README.md."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.infra.database.tables import Amount, Base, CustomerRow, EnumText, are_numbers, not_blank, one_of
from topcoin.kernel.money import Unit
from topcoin.ledger.chart.domain import HOUSE_ID, EntryType, HouseBook, ReferenceType
from topcoin.ledger.domain import PositionMode, ReconciliationStatus

_ZERO = text("0")


def _amount(comment: str) -> Mapped[Decimal]:
    return mapped_column(Numeric(28, 8), server_default=_ZERO, comment=comment)


class Account(CustomerRow, Base):
    """A customer's account: its balances (caches of the ledger), its trading figures, and its ledger head."""

    __tablename__ = "accounts"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "id"),
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="RESTRICT"),
        one_of("position_mode", PositionMode),
        # LED-2, one CHECK a book.
        CheckConstraint("deposited_amount >= 0", name="deposited_not_negative"),
        CheckConstraint("approved_profit >= 0", name="profit_not_negative"),
        CheckConstraint("deposit_review >= 0", name="review_not_negative"),
        CheckConstraint("withdrawal_hold >= 0", name="hold_not_negative"),
        CheckConstraint("virtual_hold >= 0", name="virtual_hold_not_negative"),
        CheckConstraint("allocated >= 0", name="allocated_not_negative"),
        CheckConstraint("virtual_balance >= 0 OR margin_used > 0", name="virtual_negative_only_with_positions"),
        CheckConstraint("margin_used >= 0", name="margin_used_not_negative"),
        CheckConstraint(
            "winning_trades >= 0 AND losing_trades >= 0 AND winning_trades + losing_trades <= total_trades",
            name="trades_add_up",
        ),
        CheckConstraint("NOT is_frozen OR coalesce(btrim(frozen_reason), '') <> ''", name="frozen_has_reason"),
        are_numbers("equity_cached", "margin_used", "margin_available", "realized_pnl"),
        CheckConstraint(
            "(entry_count = 0) = (last_entry_at IS NULL) AND entry_count >= 0 AND octet_length(head_hash) = 32",
            name="head_consistent",
        ),
        Index("ix_accounts_id", "id"),
        {
            "comment": "A customer's account; the balances are caches of ledger_entries, written by ledger_post alone",
            "info": {
                "placement": "customer",
                "grants": (
                    "INSERT (user_id, id, position_mode, is_active, created_at)",
                    "UPDATE (equity_cached, margin_used, margin_available, realized_pnl)",
                    "UPDATE (total_trades, winning_trades, losing_trades)",
                    "UPDATE (is_active, is_frozen, frozen_reason, position_mode)",
                ),
            },
            # Every posting updates the row: room on the page keeps those updates off the indexes.
            "postgresql_with": {"fillfactor": 50},
        },
    )

    deposited_amount: Mapped[Decimal] = _amount("USD deposited and credited (book deposited)")
    approved_profit: Mapped[Decimal] = _amount("USD of profit approved for payout (book profit)")
    deposit_review: Mapped[Decimal] = _amount("USD received and under review (book review)")
    withdrawal_hold: Mapped[Decimal] = _amount("USD reserved for withdrawals in progress (book hold)")
    virtual_balance: Mapped[Decimal] = _amount("VUSD that it trades with (book virtual)")
    virtual_hold: Mapped[Decimal] = _amount("VUSD leaving with a withdrawal in progress (book virtual_hold)")
    allocated: Mapped[Decimal] = _amount("VUSD placed in plans, at cost (book allocated)")
    credit_due: Mapped[Decimal] = _amount(
        "VUSD of credit beyond the deposit it came with (negative: below it); netted from the next credit"
    )
    equity_cached: Mapped[Decimal] = _amount("VUSD: virtual and virtual_hold plus floating results, when last valued")
    margin_used: Mapped[Decimal] = _amount("VUSD bound by open positions and resting orders")
    margin_available: Mapped[Decimal] = _amount("VUSD free for new orders, when last valued")
    realized_pnl: Mapped[Decimal] = _amount("VUSD of closed simulated trades, in total")
    total_trades: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    winning_trades: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    losing_trades: Mapped[int] = mapped_column(BigInteger, server_default=_ZERO)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_frozen: Mapped[bool] = mapped_column(server_default=text("false"))
    frozen_reason: Mapped[str | None] = mapped_column(comment="Read by the customer")
    position_mode: Mapped[PositionMode] = mapped_column(EnumText(PositionMode), server_default=PositionMode.NETTING)
    entry_count: Mapped[int] = mapped_column(
        BigInteger, server_default=_ZERO, comment="Ledger head: the sequence of the newest entry"
    )
    head_hash: Mapped[bytes] = mapped_column(
        LargeBinary,
        server_default=text(r"'\x0000000000000000000000000000000000000000000000000000000000000000'::bytea"),
        comment="Ledger head: the hash of the newest entry, 32 zero bytes before the first",
    )
    last_entry_at: Mapped[datetime | None] = mapped_column(comment="When the newest entry was made")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class LedgerEntry(Base):
    """One two-sided transfer on one account: `amount` enters `book` against `contra`. Immutable (LED-4)."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "account_id", "sequence"),
        UniqueConstraint("user_id", "journal_id", "line_no"),
        ForeignKeyConstraint(["user_id", "account_id"], ["accounts.user_id", "accounts.id"], ondelete="RESTRICT"),
        ForeignKeyConstraint(["wallet_id"], ["wallets.id"], ondelete="RESTRICT"),
        # LED-1: one unit on both sides (P1), and only combinations of the chart of accounts (P3).
        CheckConstraint("ledger_unit_of(book) = unit AND ledger_unit_of(contra) = unit", name="one_unit"),
        CheckConstraint("ledger_chart_allows(entry_type, unit, book, contra, amount, reference_type)", name="in_chart"),
        not_blank("description"),
        not_blank("reference_id"),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        are_numbers("amount"),
        CheckConstraint(
            f"ledger_is_own_book(book) = (account_id <> '{HOUSE_ID}') AND"
            " ledger_is_own_book(book) = (balance_after IS NOT NULL) AND"
            " ledger_is_own_book(contra) = (contra_balance_after IS NOT NULL)",
            name="balances_of_own_books",
        ),
        CheckConstraint(f"(contra = '{HouseBook.CUSTODY}') = (wallet_id IS NOT NULL)", name="custody_names_wallet"),
        CheckConstraint("sequence > 0 AND line_no > 0", name="numbered_from_one"),
        CheckConstraint(
            "octet_length(entry_hash) = 32 AND (line_no = 1) = (content_hash IS NOT NULL)"
            " AND (content_hash IS NULL OR octet_length(content_hash) = 32)",
            name="hashes_present",
        ),
        CheckConstraint("reverses IS NULL OR line_no = 1", name="reverses_on_first_line"),
        CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata_object"),
        # One reversal per journal.
        Index(
            "uq_ledger_entries_reverses",
            "user_id",
            "reverses",
            unique=True,
            postgresql_where=text("reverses IS NOT NULL"),
        ),
        # A page of one book, as book or as contra, does not scan past the others.
        Index("ix_ledger_entries_book", "account_id", "book", "sequence"),
        Index(
            "ix_ledger_entries_contra",
            "account_id",
            "contra",
            "sequence",
            postgresql_where=text("contra_balance_after IS NOT NULL"),
        ),
        # Entries arrive in the order of time, so block ranges find a period at almost no cost to posting.
        Index("ix_ledger_entries_created_at", "created_at", postgresql_using="brin"),
        Index("ix_ledger_entries_wallet_id", "wallet_id", postgresql_where=text("wallet_id IS NOT NULL")),
        {
            "comment": "Append-only: one row is one two-sided transfer; numbered and hash-chained per account",
            "info": {"placement": "customer", "grants": ()},
        },
    )

    user_id: Mapped[UUID]
    account_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(BigInteger, comment="1, 2, 3 … within the account, without gaps (LED-3)")
    journal_id: Mapped[UUID] = mapped_column(comment="The entries of one event, all or none; posted once (LED-5)")
    wallet_id: Mapped[UUID | None] = mapped_column(comment="The custody wallet that a custody leg stands for")
    reverses: Mapped[UUID | None] = mapped_column(comment="The journal that this one reverses")
    created_at: Mapped[datetime] = mapped_column(comment="Never runs backwards within an account")
    line_no: Mapped[int] = mapped_column(SmallInteger, comment="1, 2, 3 … within the journal")
    entry_type: Mapped[EntryType] = mapped_column(EnumText(EntryType))
    unit: Mapped[Unit] = mapped_column(EnumText(Unit))
    book: Mapped[str] = mapped_column(comment="Where the amount enters (or leaves, when negative)")
    contra: Mapped[str] = mapped_column(comment="The other side: a house book, or another book of this account")
    amount: Mapped[Amount]
    balance_after: Mapped[Decimal | None] = mapped_column(comment="Balance of the book; NULL on the house's account")
    contra_balance_after: Mapped[Decimal | None] = mapped_column(
        comment="Balance of the contra where it is a book of this account"
    )
    description: Mapped[str]
    reference_type: Mapped[ReferenceType] = mapped_column(EnumText(ReferenceType))
    reference_id: Mapped[str]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'::jsonb"))
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary, comment="SHA-256 of the journal, on its first line")
    entry_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the previous hash and this entry (LED-3)"
    )


class HouseFunds(Base):
    """The one row of free operator money, locked by the few commands that need the solvency gate (P5)."""

    __tablename__ = "house_funds"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        {
            "comment": "Free operator money: the legs of operator_funds, network_fees, valuation and credit_losses",
            "info": {"placement": "local", "grants": ()},
        },
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    balance: Mapped[Decimal] = _amount("USD in custody that is owed to nobody (LED-6)")


class Wallet(Base):
    """A custody wallet. Its balance moves only with entries that name it, so the ledger keeps the row."""

    __tablename__ = "wallets"
    __table_args__ = (
        UniqueConstraint("name"),
        one_of("reconciliation_status", ReconciliationStatus),
        not_blank("name"),
        not_blank("wallet_type"),
        not_blank("currency"),
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        are_numbers("reserved_amount", "difference"),
        CheckConstraint("reserved_amount >= 0 AND reserved_amount <= balance", name="reserved_within_balance"),
        CheckConstraint("(reconciliation_status = 'never') = (last_reconciled_at IS NULL)", name="reconciled_has_time"),
        {
            "comment": "Where the real money is; balance is minus the sum of the custody legs that name the wallet",
            "info": {
                "placement": "reference",
                "grants": (
                    "INSERT (id, wallet_type, name, currency, network, created_at)",
                    "UPDATE (name, reserved_amount, last_reconciled_at, reconciliation_status, difference)",
                ),
            },
        },
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_type: Mapped[str] = mapped_column(comment="business_deposit, …")
    name: Mapped[str]
    currency: Mapped[str] = mapped_column(comment="The coin held, in the provider's ticker")
    network: Mapped[str | None]
    balance: Mapped[Decimal] = _amount("USD held by the books (LED-6)")
    reserved_amount: Mapped[Decimal] = _amount("USD of approved withdrawals that have not left")
    available: Mapped[Decimal] = mapped_column(Computed("balance - reserved_amount", persisted=True))
    last_reconciled_at: Mapped[datetime | None]
    reconciliation_status: Mapped[ReconciliationStatus] = mapped_column(
        EnumText(ReconciliationStatus), server_default=ReconciliationStatus.NEVER
    )
    difference: Mapped[Decimal] = _amount("USD: the provider's figure less ours at the last reconciliation")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
