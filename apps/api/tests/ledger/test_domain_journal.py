"""What a journal may be before the books are asked: its form alone."""

from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from support.books import adjusting, adjustment_line

from topcoin.kernel.ids import new_id
from topcoin.kernel.money import AmountOutOfRange, InvalidAmount, OverPreciseAmount
from topcoin.ledger.chain.domain import InvalidMetadata
from topcoin.ledger.chart.domain import (
    ENTRY_RULES,
    HOUSE_ID,
    Book,
    EntryRule,
    EntryType,
    HouseBook,
    ReferenceType,
    unit_of,
)
from topcoin.ledger.errors import (
    REFUSALS,
    HouseMismatch,
    InvalidJournal,
    InvalidText,
    WalletMissing,
    WrongContra,
    WrongDirection,
    WrongReference,
    WrongUnit,
    ZeroAmount,
    refusal,
)
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting.domain import (
    DESCRIPTION_LENGTH_MAX,
    LINES_MAX,
    METADATA_LENGTH_MAX,
    REFERENCE_LENGTH_MAX,
    Line,
    PostingResult,
    PostingStatus,
    Reference,
)

ACCOUNT = AccountKey(UUID(int=1), UUID(int=2))
OTHER = AccountKey(UUID(int=1), UUID(int=3))
WALLET = UUID(int=4)


@pytest.mark.parametrize("rule", ENTRY_RULES, ids=lambda rule: f"{rule.entry_type}-{rule.book}-{rule.contra}")
def test_a_line_is_accepted_exactly_as_its_rule_says(rule: EntryRule) -> None:
    """LED-1, for both signs and every kind of source."""
    wallet = WALLET if rule.contra is HouseBook.CUSTODY else None
    for sign, reference in product((1, -1), ReferenceType):
        line = Line(rule.entry_type, rule.book, rule.contra, Decimal(sign), wallet)
        if reference not in rule.references:
            with pytest.raises(WrongReference, match="comes from"):
                line.check(reference)
        elif ("+" if sign > 0 else "-") not in rule.direction.value:
            with pytest.raises(WrongDirection, match="amounts only"):
                line.check(reference)
        else:
            assert line.check(reference) is rule


def test_no_line_stands_between_other_books() -> None:
    """LED-1, for every pair of books: the units are named where they differ (P1)."""
    known = {(rule.entry_type, rule.book, rule.contra) for rule in ENTRY_RULES}
    for kind, book, contra in product(EntryType, [*Book, *HouseBook], [*Book, *HouseBook]):
        if (kind, book, contra) in known:
            continue
        line = Line(kind, book, contra, Decimal(1), WALLET if contra is HouseBook.CUSTODY else None)
        mixed = unit_of(book) is not unit_of(contra)
        with pytest.raises(WrongUnit if mixed else WrongContra, match="never mix" if mixed else "never stands"):
            line.check(ReferenceType.DEPOSIT)


@pytest.mark.parametrize(
    ("amount", "refused"),
    [
        ("0", ZeroAmount),
        ("-0", ZeroAmount),
        ("0.000000001", OverPreciseAmount),
        ("1e20", AmountOutOfRange),
        ("1e400", AmountOutOfRange),
        ("-1e999999999", AmountOutOfRange),
        ("NaN", AmountOutOfRange),
        ("Infinity", AmountOutOfRange),
    ],
)
def test_amounts_that_no_entry_can_hold(amount: str, refused: type[InvalidAmount | InvalidJournal]) -> None:
    with pytest.raises(refused):
        adjustment_line(amount)


def test_an_amount_is_kept_with_eight_places() -> None:
    assert str(adjustment_line("1e19").amount) == "10000000000000000000.00000000"


def test_a_custody_leg_names_its_wallet_and_no_other_leg_does() -> None:
    with pytest.raises(WalletMissing):
        Line(EntryType.DEPOSIT, Book.DEPOSITED, HouseBook.CUSTODY, Decimal(1))
    with pytest.raises(WalletMissing):
        Line(EntryType.ADMIN_ADJUSTMENT, Book.VIRTUAL, HouseBook.OPERATOR_ADJUSTMENT, Decimal(1), WALLET)


@pytest.mark.parametrize("text", ["", " ", "\t\n\u2003", "a\x00b", "é\x00", "\x00", "half \ud83d", "\udc00é"])
def test_texts_that_cannot_be_kept(text: str) -> None:
    with pytest.raises(InvalidText, match="description"):
        adjusting(ACCOUNT, 1, description=text)
    with pytest.raises(InvalidText, match="reference id"):
        Reference(ReferenceType.DEPOSIT, text)


def test_texts_have_a_greatest_length_in_characters() -> None:
    assert adjusting(ACCOUNT, 1, description="é" * DESCRIPTION_LENGTH_MAX).description
    with pytest.raises(InvalidText, match=f"1 to {DESCRIPTION_LENGTH_MAX} characters"):
        adjusting(ACCOUNT, 1, description="é" * (DESCRIPTION_LENGTH_MAX + 1))
    assert Reference(ReferenceType.DEPOSIT, "x" * REFERENCE_LENGTH_MAX).id
    with pytest.raises(InvalidText, match=f"1 to {REFERENCE_LENGTH_MAX} characters"):
        Reference(ReferenceType.DEPOSIT, "x" * (REFERENCE_LENGTH_MAX + 1))


def test_metadata_has_a_greatest_length_in_canonical_form() -> None:
    room = METADATA_LENGTH_MAX - len('{"a":""}')
    assert len(adjusting(ACCOUNT, 1, metadata={"a": "é" * room}).canonical_metadata) == METADATA_LENGTH_MAX
    with pytest.raises(InvalidText, match="metadata"):
        adjusting(ACCOUNT, 1, metadata={"a": "é" * (room + 1)})
    with pytest.raises(InvalidMetadata):
        adjusting(ACCOUNT, 1, metadata={"a": 2**53})


def test_a_journal_has_at_least_one_line_and_at_most_a_hundred() -> None:
    line = adjustment_line(1)
    assert adjusting(ACCOUNT, 1, lines=(line,) * LINES_MAX).lines
    for lines in ((), (line,) * (LINES_MAX + 1)):
        with pytest.raises(InvalidJournal, match=f"1 to {LINES_MAX} lines, not {len(lines)}"):
            adjusting(ACCOUNT, 1, lines=lines)


def test_a_house_book_belongs_to_the_house_and_a_customers_to_customers() -> None:
    with pytest.raises(HouseMismatch, match="virtual is no book of this account"):
        adjusting(AccountKey(HOUSE_ID, HOUSE_ID), 1)
    valuation = Line(EntryType.VALUATION, HouseBook.VALUATION, HouseBook.CUSTODY, Decimal(1), WALLET)
    wallet = Reference(ReferenceType.WALLET, str(WALLET))
    with pytest.raises(HouseMismatch, match="valuation is no book of this account"):
        adjusting(ACCOUNT, 1, lines=(valuation,), reference=wallet)


def test_the_content_hash_covers_everything_that_is_asked() -> None:
    base = {"journal_id": UUID(int=9), "lines": (adjustment_line(1), adjustment_line(2)), "metadata": {"a": 1, "b": 2}}
    original = adjusting(ACCOUNT, 1, **base)
    assert original.content_hash == adjusting(ACCOUNT, 1, **{**base, "metadata": {"b": 2.0, "a": 1}}).content_hash
    changes = [
        {"journal_id": UUID(int=10)},
        {"user_id": UUID(int=10)},
        {"account_id": OTHER.account_id},
        {"description": "Another"},
        {"reference": Reference(ReferenceType.ADMIN_ADJUSTMENT, "adjustment-2")},
        {"metadata": {"a": 1, "b": 3}},
        {"metadata": {"a": 1, "b": "2"}},
        {"reverses": UUID(int=11)},
        {"lines": (adjustment_line(2), adjustment_line(1))},
        {"lines": (adjustment_line(1), adjustment_line("2.00000001"))},
        {"lines": (adjustment_line(1), adjustment_line(-2))},
        {"lines": (adjustment_line(1),)},
    ]
    hashes = {adjusting(ACCOUNT, 1, **{**base, **change}).content_hash for change in changes}
    assert len(hashes) == len(changes)
    assert original.content_hash not in hashes


def test_a_custody_leg_of_another_wallet_is_another_journal() -> None:
    def deposit(wallet: UUID) -> bytes:
        line = Line(EntryType.DEPOSIT, Book.DEPOSITED, HouseBook.CUSTODY, Decimal(1), wallet)
        reference = Reference(ReferenceType.DEPOSIT, "d")
        return adjusting(ACCOUNT, 1, journal_id=UUID(int=9), lines=(line,), reference=reference).content_hash

    assert deposit(WALLET) == deposit(WALLET) != deposit(UUID(int=5))


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_every_refusal_has_a_message_that_names_the_detail_it_is_given(code: str) -> None:
    error = refusal(code, "THE DETAIL")
    assert error.code == code
    assert len(error.detail) > 20
    assert "{" not in error.detail


def test_a_refused_result_raises_its_refusal() -> None:
    result = PostingResult(new_id(), PostingStatus.REFUSED, error=refusal("insufficient_funds", "hold"))
    with pytest.raises(REFUSALS["insufficient_funds"], match="the book hold would end below zero; lower the amount"):
        result.unwrap()
