"""Journals: what is asked of the ledger. A Journal that exists is well formed; the books decide the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from topcoin.kernel.errors import TopCoinError
from topcoin.kernel.money import exact_amount
from topcoin.ledger.chain.domain import JournalLine, canonical_metadata, journal_hash
from topcoin.ledger.chart.domain import (
    ENTRY_RULES,
    HOUSE_ID,
    AnyBook,
    Direction,
    EntryRule,
    EntryType,
    HouseBook,
    ReferenceType,
    unit_of,
)
from topcoin.ledger.errors import (
    HouseMismatch,
    InvalidJournal,
    InvalidText,
    WalletMissing,
    WrongContra,
    WrongDirection,
    WrongReference,
    WrongUnit,
    ZeroAmount,
)

DESCRIPTION_LENGTH_MAX = 500
REFERENCE_LENGTH_MAX = 200
METADATA_LENGTH_MAX = 8_192
LINES_MAX = 100

_Key = tuple[EntryType, AnyBook, AnyBook]


def _rules_by_key() -> dict[_Key, list[EntryRule]]:
    rules: dict[_Key, list[EntryRule]] = {}
    for rule in ENTRY_RULES:
        rules.setdefault((rule.entry_type, rule.book, rule.contra), []).append(rule)
    return rules


_RULES = _rules_by_key()


def check_text(name: str, text: str, length_max: int) -> None:
    """Refuse a text that is blank, too long, or not storable as UTF-8 without NUL."""
    if not text or text.isspace() or len(text) > length_max:
        raise InvalidText(f"{name} must hold 1 to {length_max} characters, not blank")
    if "\x00" in text or not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidText(f"{name} holds half a surrogate pair; send valid Unicode") from None
        if "\x00" in text:
            raise InvalidText(f"{name} holds a NUL character; remove it")


def line_amount(value: Decimal | str | int) -> Decimal:
    """Read the amount of a line: exact at eight places, and not zero."""
    amount = exact_amount(value)
    if not amount:
        raise ZeroAmount("an amount of zero moves nothing; leave the line out")
    return amount


@dataclass(frozen=True, slots=True)
class Reference:
    """The source event: the kind of row, and its id."""

    type: ReferenceType
    id: str

    def __post_init__(self) -> None:
        check_text("reference id", self.id, REFERENCE_LENGTH_MAX)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry asked for: `amount` (signed, not zero) enters `book` against `contra`."""

    entry_type: EntryType
    book: AnyBook
    contra: AnyBook
    amount: Decimal
    wallet_id: UUID | None = None
    """The custody wallet, exactly where custody is the contra."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", line_amount(self.amount))
        if (self.contra is HouseBook.CUSTODY) != (self.wallet_id is not None):
            raise WalletMissing("a custody leg names its wallet, and no other leg does")

    @property
    def content(self) -> JournalLine:
        """What the journal's hash covers of the line."""
        return self.entry_type, self.book, self.contra, self.amount, self.wallet_id

    def check(self, reference: ReferenceType) -> EntryRule:
        """Find the rule of the chart that allows this line (LED-1)."""
        rules = _RULES.get((self.entry_type, self.book, self.contra))
        if rules is None:
            if unit_of(self.book) is not unit_of(self.contra):
                raise WrongUnit(
                    f"{self.book} and {self.contra} are kept in different units; real and simulated never mix"
                )
            raise WrongContra(f"an entry {self.entry_type} never stands between {self.book} and {self.contra}")
        for rule in rules:
            if reference in rule.references:
                break
        else:
            known = sorted({name for rule in rules for name in rule.references})
            raise WrongReference(f"an entry {self.entry_type} comes from {' or '.join(known)}, not from {reference}")
        if rule.direction is not Direction.BOTH and (self.amount > 0) != (rule.direction is Direction.IN):
            sense = "positive" if rule.direction is Direction.IN else "negative"
            raise WrongDirection(f"{self.entry_type} moves {self.book} against {self.contra} by {sense} amounts only")
        return rule


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries of one event on one account: all are posted or none (LED-5)."""

    journal_id: UUID
    user_id: UUID
    account_id: UUID
    description: str
    reference: Reference
    lines: tuple[Line, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reverses: UUID | None = None
    canonical_metadata: str = field(init=False)
    content_hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        check_text("description", self.description, DESCRIPTION_LENGTH_MAX)
        if not 1 <= len(self.lines) <= LINES_MAX:
            raise InvalidJournal(f"a journal has 1 to {LINES_MAX} lines, not {len(self.lines)}")
        on_house = self.account_id == HOUSE_ID
        for line in self.lines:
            if line.check(self.reference.type).is_house is not on_house:
                raise HouseMismatch(f"{line.book} is no book of this account")
        metadata = canonical_metadata(self.metadata)
        if len(metadata) > METADATA_LENGTH_MAX:
            raise InvalidText(f"metadata must be at most {METADATA_LENGTH_MAX} characters of canonical JSON")
        object.__setattr__(self, "canonical_metadata", metadata)
        object.__setattr__(
            self,
            "content_hash",
            journal_hash(
                user_id=self.user_id,
                account_id=self.account_id,
                journal_id=self.journal_id,
                description=self.description,
                reference_type=self.reference.type,
                reference_id=self.reference.id,
                metadata=metadata,
                reverses=self.reverses,
                lines=[line.content for line in self.lines],
            ),
        )


class PostingStatus(StrEnum):
    """What became of a journal."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class PostedEntry(NamedTuple):
    """Where a line was written, and the balances it made: a named tuple, since thousands are made in one call."""

    sequence: int
    balance_after: Decimal | None
    contra_balance_after: Decimal | None
    entry_hash: bytes


@dataclass(frozen=True, slots=True)
class PostingResult:
    """The answer for one journal, in the order asked; a duplicate repeats the first answer."""

    journal_id: UUID
    status: PostingStatus
    entries: tuple[PostedEntry, ...] = ()
    error: TopCoinError | None = None

    def unwrap(self) -> tuple[PostedEntry, ...]:
        """The entries, or the refusal raised."""
        if self.error is not None:
            raise self.error
        return self.entries
