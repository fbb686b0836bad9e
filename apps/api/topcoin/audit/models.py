"""The tables of the audit trail.

Rows of `audits` are added and never changed (AUD-1, LED-4); each subject's rows form one hash chain, whose end is in
`audit_heads`.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.audit.domain import FIRST_PREVIOUS_HASH, HASH_BYTES
from topcoin.infra.database.tables import Base, CreatedAt, CustomerRow, check, is_code, not_blank, of_user

_NO_OBJECT = text("'{}'::jsonb")
_NO_HASH = rf"'\x{FIRST_PREVIOUS_HASH.hex()}'::bytea"


class Audit(CustomerRow, Base):
    """One act. Its subject `user_id` is the customer concerned, or else the actor."""

    __tablename__ = "audits"
    __table_args__: Any = (
        of_user(),
        # AUD-2: with the trigger `continue_chain`, no gap and no fork.
        UniqueConstraint("user_id", "sequence"),
        check("sequence_from_one", "sequence >= 1"),
        check("hash_length", f"octet_length(previous_hash) = {HASH_BYTES} AND octet_length(entry_hash) = {HASH_BYTES}"),
        check("first_has_no_predecessor", f"(sequence = 1) = (previous_hash = {_NO_HASH})"),
        is_code("action"),
        is_code("object_type"),
        not_blank("object_id"),
        check("object_named_whole", "(object_type IS NULL) = (object_id IS NULL)"),
        not_blank("reason"),
        check("changes_object", "jsonb_typeof(changes) = 'object'"),
        check("metadata_object", "jsonb_typeof(metadata) = 'object'"),
        Index(None, "created_at"),
        Index(None, "actor", "created_at"),
        Index(None, "action", "created_at"),
        Index(None, "object_type", "object_id"),
        Index(None, "request_id", postgresql_where=text("request_id IS NOT NULL")),
        {
            "comment": "Append-only audit trail, numbered and hash-chained per subject (user_id)",
            "info": {"placement": "customer", "grants": ("INSERT",)},
        },
    )

    sequence: Mapped[int] = mapped_column(comment="1, 2, 3 … within the subject, without gaps")
    previous_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="entry_hash of the subject's row before; 32 zero bytes in the first"
    )
    entry_hash: Mapped[bytes] = mapped_column(LargeBinary, comment="SHA-256 of previous_hash and this row's content")
    actor: Mapped[UUID] = mapped_column(
        comment="Who acted (user id, no foreign key: the row may live on another shard); the house where no person did"
    )
    action: Mapped[str] = mapped_column(comment="adjust_balance, approve_withdrawal, …")
    object_type: Mapped[str | None] = mapped_column(comment="The singular of the object's table")
    object_id: Mapped[str | None]
    changes: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=_NO_OBJECT, comment='{"field": {"before": …, "after": …}}; never secrets'
    )
    reason: Mapped[str | None] = mapped_column(comment="Required by the service where the action is sensitive")
    ip_address: Mapped[IPv4Address | IPv6Address | None] = mapped_column(INET)
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    session_id: Mapped[UUID | None] = mapped_column(comment="The actor's session")
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=_NO_OBJECT)
    created_at: Mapped[CreatedAt]


class AuditHead(Base):
    """Where a subject's chain ends.

    Its row is what writers of one chain wait for, so that each continues the row before; and a chain whose newest rows
    were cut off no longer ends where this says.
    """

    __tablename__ = "audit_heads"
    __table_args__: Any = (
        of_user(),
        check("sequence_not_negative", "sequence >= 0"),
        check("hash_length", f"octet_length(entry_hash) = {HASH_BYTES}"),
        check("empty_has_no_hash", f"(sequence = 0) = (entry_hash = {_NO_HASH})"),
        {
            "comment": "The end of each subject's chain of audits; locked while a row is added",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE (sequence, entry_hash)")},
        },
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(server_default=text("0"), comment="Of the newest row; 0 where there is none")
    entry_hash: Mapped[bytes] = mapped_column(
        LargeBinary, server_default=text(_NO_HASH), comment="Of the newest row; 32 zero bytes where there is none"
    )
