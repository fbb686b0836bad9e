"""The operator's own money in custody: in and out, costs and changes of value. All amounts are USD."""

from decimal import Decimal
from uuid import UUID

from topcoin.ledger.chart.domain import EntryType, HouseBook, ReferenceType
from topcoin.ledger.events.composing import HOUSE, compose, journal_id, line, require_positive
from topcoin.ledger.posting.domain import Journal, Reference


def receipt_unmatched(ipn_event_id: UUID, amount: Decimal, wallet_id: UUID) -> Journal:
    """Money arrived whose owner is unknown: owed all the same."""
    return compose(
        HOUSE,
        journal_id("receipt_unmatched", ipn_event_id),
        "Receipt of unknown owner",
        Reference(ReferenceType.IPN_EVENT, str(ipn_event_id)),
        line(EntryType.UNMATCHED_RECEIPT, HouseBook.UNALLOCATED, HouseBook.CUSTODY, amount, wallet_id),
    )


def _wallet(wallet_id: UUID) -> Reference:
    return Reference(ReferenceType.WALLET, str(wallet_id))


def operator_funds_moved(wallet_id: UUID, receipt: str, amount: Decimal) -> Journal:
    """The operator puts money in (positive) or takes free money out (negative), by a provider's or chain's record."""
    return compose(
        HOUSE,
        journal_id("operator_funds_moved", receipt),
        "Operator funds in" if amount > 0 else "Operator funds out",
        _wallet(wallet_id),
        line(EntryType.OPERATOR_FUNDING, HouseBook.OPERATOR_FUNDS, HouseBook.CUSTODY, amount, wallet_id),
        metadata={"receipt": receipt},
    )


def network_cost_borne(wallet_id: UUID, record: str, fee: Decimal) -> Journal:
    """A network fee that no customer pays, by the record that shows it."""
    require_positive(fee)
    return compose(
        HOUSE,
        journal_id("network_cost_borne", record),
        "Network fee borne by the house",
        _wallet(wallet_id),
        line(EntryType.NETWORK_FEE, HouseBook.NETWORK_FEES, HouseBook.CUSTODY, -fee, wallet_id),
        metadata={"record": record},
    )


def custody_revalued(wallet_id: UUID, record: str, change: Decimal) -> Journal:
    """The coin that a wallet holds changed its value in USD by a signed amount."""
    return compose(
        HOUSE,
        journal_id("custody_revalued", record),
        "Change of the value of what is held",
        _wallet(wallet_id),
        line(EntryType.VALUATION, HouseBook.VALUATION, HouseBook.CUSTODY, change, wallet_id),
        metadata={"record": record},
    )
