"""The table of AML alerts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from topcoin.compliance.domain import AlertOutcome, AlertSeverity, AlertStatus
from topcoin.infra.database.tables import (
    Base,
    CreatedAt,
    CustomerRow,
    EnumText,
    StaffId,
    check,
    is_code,
    not_blank,
    of_user,
    one_of,
)


class AmlAlert(CustomerRow, Base):
    """One fact about a customer that a rule found worth a look."""

    __tablename__ = "aml_alerts"
    __table_args__: Any = (
        of_user(),
        # AML-1: one fact raises one alert.
        UniqueConstraint("user_id", "alert_type", "dedup_key"),
        is_code("alert_type"),
        not_blank("dedup_key"),
        one_of("severity", AlertSeverity),
        one_of("status", AlertStatus),
        one_of("outcome", AlertOutcome),
        is_code("reference_type"),
        not_blank("reference_id"),
        check("reference_named_whole", "(reference_type IS NULL) = (reference_id IS NULL)"),
        check("details_object", "jsonb_typeof(details) = 'object'"),
        not_blank("description"),
        # AML-2: somebody works on it, who is not the customer; an end has an outcome, notes and a time.
        check("worked_on_by_somebody", "(status = 'pending') = (reviewed_by IS NULL)"),
        check("reviewed_by_has_time", "(reviewed_by IS NULL) = (reviewed_at IS NULL)"),
        check("not_reviewed_by_self", "reviewed_by <> user_id"),
        check("resolved_has_outcome", "(status = 'resolved') = (outcome IS NOT NULL)"),
        check("resolved_has_time", "(status = 'resolved') = (resolved_at IS NOT NULL)"),
        check("resolved_has_notes", "status <> 'resolved' OR coalesce(btrim(resolution_notes), '') <> ''"),
        check("reviewed_after_made", "reviewed_at >= created_at"),
        check("resolved_after_reviewed", "resolved_at >= reviewed_at"),
        not_blank("actions_taken"),
        check("due_after_made", "due_at > created_at"),
        Index(None, "user_id", "created_at"),
        Index(None, "status", "severity", "due_at"),
        Index(None, "due_at", postgresql_where=text("status <> 'resolved'")),
        Index(None, "alert_type", "created_at"),
        Index(None, "reference_type", "reference_id"),
        Index(None, "created_at"),
        {
            "comment": "Alerts of the AML rules, and what became of them",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
        },
    )

    alert_type: Mapped[str] = mapped_column(comment="The rule that fired")
    dedup_key: Mapped[str] = mapped_column(
        comment="The fact, in the rule's own terms; the same fact raises no second alert"
    )
    severity: Mapped[AlertSeverity] = mapped_column(EnumText(AlertSeverity))
    reference_type: Mapped[str | None] = mapped_column(comment="The singular of the table of what set it off")
    reference_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'::jsonb"), comment="Evidence, and the rule's parameters with their version"
    )
    description: Mapped[str] = mapped_column(comment="Why the rule fired, in a sentence")
    status: Mapped[AlertStatus] = mapped_column(EnumText(AlertStatus), server_default=AlertStatus.PENDING)
    outcome: Mapped[AlertOutcome | None] = mapped_column(EnumText(AlertOutcome))
    reviewed_by: Mapped[StaffId | None]
    reviewed_at: Mapped[datetime | None] = mapped_column(comment="When somebody took it up")
    resolution_notes: Mapped[str | None]
    actions_taken: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    due_at: Mapped[datetime] = mapped_column(comment="By severity")
    created_at: Mapped[CreatedAt]
