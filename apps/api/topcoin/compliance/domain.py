"""The states of an AML alert, and which may follow which. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class AlertSeverity(StrEnum):
    """How soon an alert wants an answer."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AlertStatus(StrEnum):
    """How far the work on an alert has come."""

    PENDING = "pending"
    UNDER_REVIEW = "under_review"
    RESOLVED = "resolved"
    ESCALATED = "escalated"


class AlertOutcome(StrEnum):
    """What a resolved alert turned out to be."""

    CONFIRMED_RISK = "confirmed_risk"
    FALSE_POSITIVE = "false_positive"
    VALUABLE = "valuable"
    """No risk by itself, and worth knowing."""


ALERT_TRANSITIONS: Final[Mapping[AlertStatus, frozenset[AlertStatus]]] = MappingProxyType(
    {
        AlertStatus.PENDING: frozenset({AlertStatus.UNDER_REVIEW}),
        AlertStatus.UNDER_REVIEW: frozenset({AlertStatus.RESOLVED, AlertStatus.ESCALATED}),
        AlertStatus.ESCALATED: frozenset({AlertStatus.RESOLVED}),
        AlertStatus.RESOLVED: frozenset(),
    }
)
