"""Kinds and states of support tickets, and which states may follow which. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class TicketCategory(StrEnum):
    """What a ticket is about."""

    ACCOUNT = "account"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRADING = "trading"
    KYC = "kyc"
    OTHER = "other"


class TicketPriority(StrEnum):
    """How soon a ticket wants an answer."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TicketStatus(StrEnum):
    """Whose turn it is."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    RESOLVED = "resolved"
    CLOSED = "closed"


TICKET_TRANSITIONS: Final[Mapping[TicketStatus, frozenset[TicketStatus]]] = MappingProxyType(
    {
        TicketStatus.OPEN: frozenset(
            {TicketStatus.IN_PROGRESS, TicketStatus.WAITING_FOR_CUSTOMER, TicketStatus.RESOLVED}
        ),
        TicketStatus.IN_PROGRESS: frozenset({TicketStatus.WAITING_FOR_CUSTOMER, TicketStatus.RESOLVED}),
        TicketStatus.WAITING_FOR_CUSTOMER: frozenset({TicketStatus.IN_PROGRESS, TicketStatus.RESOLVED}),
        # The customer may say that it is not resolved.
        TicketStatus.RESOLVED: frozenset({TicketStatus.IN_PROGRESS, TicketStatus.CLOSED}),
        TicketStatus.CLOSED: frozenset(),
    }
)
