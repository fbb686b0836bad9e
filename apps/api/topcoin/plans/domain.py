"""What kinds of plans there are. Pure."""

from enum import StrEnum


class RiskProfile(StrEnum):
    """How much a plan may lose for what it may win."""

    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"
