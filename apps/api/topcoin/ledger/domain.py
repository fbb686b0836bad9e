"""Vocabulary of the ledger's tables beyond the chart of accounts."""

from enum import StrEnum


class PositionMode(StrEnum):
    """How an account keeps several trades in one instrument."""

    NETTING = "netting"
    HEDGING = "hedging"


class ReconciliationStatus(StrEnum):
    """What the last comparison of a wallet with its provider found."""

    NEVER = "never"
    MATCHED = "matched"
    DIFFERENT = "different"
