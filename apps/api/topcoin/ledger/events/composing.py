"""What every journal of the catalogue is composed with.

A journal's id is derived from its event (`journal_id`), so that one event can be posted once, however often and by
however many workers it is tried (LED-5). Amounts are positive unless a docstring says that they are signed. Builders
that need the account's figures take those read under lock in the same transaction (`accounts.service.lock_figures`).
"""

from dataclasses import dataclass
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5

from topcoin.kernel.errors import Invalid
from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import HOUSE_ID, AnyBook, EntryType
from topcoin.ledger.posting.domain import Journal, Line, Reference

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:topcoin:ledger:journal")
ZERO = Decimal(0)


class AmountNotPositive(Invalid):
    """An event of no or negative size."""

    code = "amount_not_positive"


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Whose account, and which."""

    user_id: UUID
    account_id: UUID


HOUSE = AccountKey(HOUSE_ID, HOUSE_ID)


def key_of(figures: AccountFigures) -> AccountKey:
    """The key of an account whose figures were read."""
    return AccountKey(figures.user_id, figures.account_id)


def journal_id(event: str, *parts: UUID | str | int) -> UUID:
    """The id of an event's journal: UUIDv5 of the event's name and what tells it from others of its kind."""
    return uuid5(_NAMESPACE, "/".join([event, *map(str, parts)]))


def require_positive(*amounts: Decimal) -> None:
    """Refuse an event that moves nothing."""
    if min(amounts) <= 0:
        raise AmountNotPositive("an event moves more than nothing; give a positive amount")


def line(kind: EntryType, book: AnyBook, contra: AnyBook, amount: Decimal, wallet: UUID | None = None) -> Line | None:
    """A line, or None where it would move nothing."""
    return Line(kind, book, contra, amount, wallet) if amount else None


def compose(
    account: AccountKey,
    event_id: UUID,
    description: str,
    reference: Reference,
    *lines: Line | None,
    metadata: dict[str, str] | None = None,
    reverses: UUID | None = None,
) -> Journal:
    """A journal of the lines that move something."""
    return Journal(
        journal_id=event_id,
        user_id=account.user_id,
        account_id=account.account_id,
        description=description,
        reference=reference,
        lines=tuple(line for line in lines if line is not None),
        metadata=metadata or {},
        reverses=reverses,
    )
