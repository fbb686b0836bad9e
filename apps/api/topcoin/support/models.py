"""The table of support tickets."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

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
from topcoin.support.domain import TicketCategory, TicketPriority, TicketStatus


class SupportTicket(CustomerRow, Base):
    """One question or complaint of a customer."""

    __tablename__ = "support_tickets"
    __table_args__: Any = (
        of_user(),
        not_blank("subject"),
        not_blank("description"),
        one_of("category", TicketCategory),
        one_of("status", TicketStatus),
        one_of("priority", TicketPriority),
        # SUP-2
        check("not_assigned_to_self", "assigned_to <> user_id"),
        check("in_progress_has_assignee", "status <> 'in_progress' OR assigned_to IS NOT NULL"),
        is_code("related_object_type"),
        not_blank("related_object_id"),
        check("related_object_named_whole", "(related_object_type IS NULL) = (related_object_id IS NULL)"),
        # SUP-1: here, and that nobody waits for an answer to nothing.
        check("resolved_has_time", "(status IN ('resolved', 'closed')) = (resolved_at IS NOT NULL)"),
        check(
            "resolved_has_resolution",
            "status NOT IN ('resolved', 'closed') OR coalesce(btrim(resolution), '') <> ''",
        ),
        check("waiting_after_response", "status <> 'waiting_for_customer' OR first_responded_at IS NOT NULL"),
        check("response_due_after_made", "first_response_due_at > created_at"),
        check("responded_after_made", "first_responded_at >= created_at"),
        check("resolved_after_made", "resolved_at >= created_at"),
        Index(None, "user_id", "created_at"),
        Index(None, "status", "priority", "created_at"),
        Index(None, "assigned_to", "status", postgresql_where=text("assigned_to IS NOT NULL")),
        Index(
            "ix_support_tickets_unanswered",
            "first_response_due_at",
            postgresql_where=text("first_responded_at IS NULL"),
        ),
        Index(None, "related_object_type", "related_object_id"),
        Index(None, "created_at"),
        Index(None, "resolved_at", postgresql_where=text("resolved_at IS NOT NULL")),
        {
            "comment": "Customers' questions and complaints",
            "info": {"placement": "customer", "grants": ("INSERT", "UPDATE")},
        },
    )

    subject: Mapped[str]
    description: Mapped[str]
    category: Mapped[TicketCategory] = mapped_column(EnumText(TicketCategory))
    status: Mapped[TicketStatus] = mapped_column(EnumText(TicketStatus), server_default=TicketStatus.OPEN)
    priority: Mapped[TicketPriority] = mapped_column(EnumText(TicketPriority), server_default=TicketPriority.NORMAL)
    assigned_to: Mapped[StaffId | None]
    resolution: Mapped[str | None] = mapped_column(comment="Read by the customer")
    related_object_type: Mapped[str | None] = mapped_column(comment="The singular of the object's table")
    related_object_id: Mapped[str | None]
    first_response_due_at: Mapped[datetime] = mapped_column(comment="By the policy that held when the ticket was made")
    first_responded_at: Mapped[datetime | None] = mapped_column(comment="The first public answer by a person")
    resolved_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
