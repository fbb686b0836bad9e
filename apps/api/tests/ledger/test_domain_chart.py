"""The chart of accounts, and that the database holds the same one (LED-1)."""

import re
from itertools import chain, product
from pathlib import Path

import psycopg
import pytest

import topcoin
from topcoin.kernel.money import Unit
from topcoin.ledger.chart.domain import (
    ENTRY_RULES,
    HOUSE_FUNDS_BOOKS,
    Book,
    Direction,
    EntryRule,
    EntryType,
    HouseBook,
    ReferenceType,
    allowed_entries,
    parse_book,
    unit_of,
)

CHART_SQL = Path(topcoin.__file__).parents[1] / "alembic/sql/0001/00_ledger_chart.sql"
BOOKS = [*Book, *HouseBook]
STRANGE = ["", "Virtual", "virtual ", "custody/", "nothing"]


@pytest.mark.parametrize("rule", ENTRY_RULES, ids=lambda rule: f"{rule.entry_type}-{rule.book}-{rule.contra}")
def test_every_rule_has_one_unit_on_both_sides(rule: EntryRule) -> None:
    assert unit_of(rule.book) is unit_of(rule.contra)


def test_no_rule_is_listed_twice_and_none_is_of_a_book_against_itself() -> None:
    expanded = [
        (rule.entry_type, rule.book, rule.contra, sign, reference)
        for rule in ENTRY_RULES
        for sign in rule.direction.value
        for reference in rule.references
    ]
    assert len(expanded) == len(set(expanded)) == len(allowed_entries())
    assert all(rule.book != rule.contra and rule.references for rule in ENTRY_RULES)


def test_every_book_entry_type_and_reference_type_is_used() -> None:
    """But for the counterparts that only ever stand as contra."""
    assert {rule.entry_type for rule in ENTRY_RULES} == set(EntryType)
    assert {reference for rule in ENTRY_RULES for reference in rule.references} == set(ReferenceType)
    assert set(chain.from_iterable((rule.book, rule.contra) for rule in ENTRY_RULES)) == set(BOOKS)


def test_house_entries_never_touch_a_customers_book() -> None:
    for rule in ENTRY_RULES:
        assert rule.is_house == isinstance(rule.book, HouseBook)
        if rule.is_house:
            assert isinstance(rule.contra, HouseBook)


def test_an_adjustment_is_the_only_way_to_and_from_operator_adjustment() -> None:
    """P3: `admin_adjustment` ⇔ `operator_adjustment`."""
    for rule in ENTRY_RULES:
        touches = HouseBook.OPERATOR_ADJUSTMENT in (rule.book, rule.contra)
        assert touches == (rule.entry_type is EntryType.ADMIN_ADJUSTMENT)
        if touches:
            assert rule.references == {ReferenceType.ADMIN_ADJUSTMENT}


def test_simulated_losses_never_reach_a_real_book() -> None:
    """P1 and P7: what trading and plans do has VUSD on both sides."""
    simulated = {EntryType.TRADE_PNL, EntryType.FEE, EntryType.FINANCING, EntryType.PLAN_RETURN, EntryType.PLAN_FEE}
    for rule in ENTRY_RULES:
        if rule.entry_type in simulated:
            assert unit_of(rule.book) is Unit.VUSD


def test_profit_comes_only_out_of_operator_funds() -> None:
    """P5: nothing but a covered approval raises `profit` from outside the account."""
    raising = [r for r in ENTRY_RULES if r.book is Book.PROFIT and r.direction is not Direction.OUT]
    assert [(r.entry_type, r.contra) for r in raising] == [(EntryType.PROFIT_APPROVAL, HouseBook.OPERATOR_FUNDS)]
    assert {HouseBook.OPERATOR_FUNDS, HouseBook.CREDIT_LOSSES} < HOUSE_FUNDS_BOOKS


@pytest.mark.parametrize("book", BOOKS)
def test_books_are_found_by_name(book: Book | HouseBook) -> None:
    assert parse_book(book.value) is book


@pytest.mark.parametrize("name", STRANGE)
def test_there_are_no_other_books(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid HouseBook"):
        parse_book(name)


def test_the_database_knows_the_same_units_and_books(owner_connection: psycopg.Connection) -> None:
    names = [*(book.value for book in BOOKS), *STRANGE]
    found = owner_connection.execute(
        "SELECT name, ledger_unit_of(name), ledger_is_own_book(name) FROM unnest(%s::text[]) AS n (name)", [names]
    ).fetchall()
    expected = [(book.value, unit_of(book).value, isinstance(book, Book)) for book in BOOKS]
    assert found == expected + [(name, None, False) for name in STRANGE]


def test_the_database_allows_exactly_the_same_entries(owner_connection: psycopg.Connection) -> None:
    """Every combination of entry type, unit, book, contra, sign and reference type, known or not."""
    names = [book.value for book in BOOKS]
    kinds = [[*EntryType, "gift"], [*Unit, "EUR"], [*names, "nothing"], [*names, "nothing"], [*ReferenceType, "whim"]]
    found = owner_connection.execute(
        """
        SELECT concat_ws('/', entry_type, unit, book, contra, sign, reference_type)
          FROM unnest(%s::text[]) AS a (entry_type), unnest(%s::text[]) AS b (unit), unnest(%s::text[]) AS c (book),
               unnest(%s::text[]) AS d (contra), unnest(%s::text[]) AS f (reference_type),
               (VALUES ('+', 0.00000001), ('-', -0.00000001)) AS s (sign, amount)
         WHERE ledger_chart_allows(entry_type, unit, book, contra, amount, reference_type) IS NOT FALSE
        """,
        [[str(kind) for kind in column] for column in kinds],
    ).fetchall()
    assert sorted(key for (key,) in found) == allowed_entries()
    assert len(list(product(*kinds))) * 2 == 22 * 3 * 26 * 26 * 9 * 2


def test_the_sql_file_lists_the_chart_in_order() -> None:
    listed = re.findall(r"^        '([^']+/[^']+)'", CHART_SQL.read_text(), re.MULTILINE)
    assert listed == allowed_entries()
