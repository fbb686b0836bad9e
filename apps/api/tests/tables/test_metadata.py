"""The conventions that every table keeps, read from the models alone."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import combinations

import pytest
from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from topcoin.entrypoints.tables import metadata
from topcoin.infra.database.tables import EnumText, quoted

CHECKED_BY_THE_CHART = {"ledger_entries"}
"""Whose enums need no list of their values, since the chart of accounts lists every combination of them."""

IDENTIFIER_MAX = 63
"""What PostgreSQL keeps of a name; what is longer is cut off without a word."""

TABLES = metadata.sorted_tables
RATIO_ENDINGS = ("_pct", "_return")

each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def key_of(table: Table) -> str:
    """The column by which a customer's table is spread."""
    return table.info.get("customer_key", "user_id")


def unique_keys(table: Table) -> Iterator[tuple[str, ...]]:
    """The columns of the primary key and of everything else that is unique."""
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            yield tuple(column.name for column in constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield tuple(column.name for column in index.columns)


def foreign_keys() -> list[ForeignKeyConstraint]:
    """Every foreign key of every table."""
    return sorted(
        (each for table in TABLES for each in table.constraints if isinstance(each, ForeignKeyConstraint)),
        key=lambda each: str(each.name),
    )


def test_the_named_tables_are_there() -> None:
    assert {
        *("users", "accounts", "admin_adjustments", "wallets", "deposits", "withdrawals", "orders", "positions"),
        *("instruments", "candles", "ai_investment_plans", "user_investments", "ledger_entries", "aml_alerts"),
        *("audits", "support_tickets"),
    } <= set(metadata.tables)


@each_table
def test_a_table_says_where_it_is_placed(table: Table) -> None:
    assert table.info["placement"] in {"customer", "reference", "instrument", "local"}


@each_table
def test_what_is_unique_in_a_customers_table_is_so_within_the_customer(table: Table) -> None:
    if table.info["placement"] == "customer":
        assert {key[0] for key in unique_keys(table)} == {key_of(table)}
        assert not table.columns[key_of(table)].nullable


@each_table
def test_what_is_unique_in_an_instruments_table_is_so_within_the_instrument(table: Table) -> None:
    if table.info["placement"] == "instrument":
        assert {key[0] for key in unique_keys(table)} == {"instrument_id"}


@pytest.mark.parametrize("key", foreign_keys(), ids=lambda key: str(key.name))
def test_a_foreign_key_stays_where_its_row_is(key: ForeignKeyConstraint) -> None:
    """To a customer's table only from the same customer's rows; from a reference or local table to reference alone."""
    target = key.referred_table
    if target.info["placement"] == "customer":
        assert key.parent.info["placement"] == "customer"
        pairs = {(element.parent.name, element.column.name) for element in key.elements}
        assert (key_of(metadata.tables[key.parent.name]), key_of(target)) in pairs
    else:
        assert target.info["placement"] == "reference"


@pytest.mark.parametrize("key", foreign_keys(), ids=lambda key: str(key.name))
def test_a_foreign_key_can_be_followed_backwards(key: ForeignKeyConstraint) -> None:
    """Some index or key begins with its columns."""
    wanted = set(key.column_keys)
    table = metadata.tables[key.parent.name]
    keys = [*unique_keys(table), *(tuple(column.name for column in index.columns) for index in table.indexes)]
    assert any(set(columns[: len(wanted)]) == wanted for columns in keys)


@each_table
def test_constraints_have_names_that_fit(table: Table) -> None:
    for item in (*table.constraints, *table.indexes):
        assert item.name is not None, item
        assert table.name in str(item.name)
        assert len(str(item.name)) <= IDENTIFIER_MAX, item.name


@each_table
def test_times_have_a_zone(table: Table) -> None:
    for column in table.columns:
        if isinstance(column.type, DateTime):
            assert column.type.timezone, column


@each_table
def test_numbers_are_exact(table: Table) -> None:
    for column in table.columns:
        assert column.type.python_type is not float, column
        if isinstance(column.type, Numeric):
            ratio = column.name.endswith(RATIO_ENDINGS)
            assert (column.type.precision, column.type.scale) == ((18, 8) if ratio else (28, 8)), column


@each_table
def test_an_enum_has_the_check_of_its_values(table: Table) -> None:
    for column in table.columns:
        if isinstance(column.type, EnumText) and table.name not in CHECKED_BY_THE_CHART:
            check = _constraint(table, f"ck_{table.name}_{column.name}_known")
            kind: type[StrEnum] = column.type.kind
            assert set(quoted(kind).split(", ")) == set(_literals(str(check.sqltext)))


@each_table
def test_a_status_can_be_searched(table: Table) -> None:
    """Queues are read by status: some index names it, or holds only rows of some status."""
    for column in table.columns:
        if column.name in {"status", "kyc_status"}:
            assert any(
                column.name in {each.name for each in index.columns}
                or column.name in str(index.dialect_options["postgresql"]["where"])
                for index in table.indexes
            )


@each_table
def test_no_index_is_the_beginning_of_another(table: Table) -> None:
    """It would cost writes and serve no read that the longer one does not."""
    plain = {
        tuple(column.name for column in index.columns)
        for index in table.indexes
        if index.dialect_options["postgresql"]["where"] is None
    } | set(unique_keys(table))
    for one, other in combinations(sorted(plain, key=len), 2):
        assert other[: len(one)] != one, (one, other)


@each_table
def test_only_the_owner_deletes(table: Table) -> None:
    """What has happened is kept; a table whose rows come and go says so."""
    assert table.info.get("transient") or "DELETE" not in table.info.get("grants", ("DELETE",)), table


def test_passwords_are_marked_secret() -> None:
    secret = [column for table in TABLES for column in table.columns if column.info.get("secret")]
    suspicious = [
        column
        for table in TABLES
        for column in table.columns
        if any(word in column.name for word in ("password", "secret", "token"))
    ]
    assert secret == suspicious != []


def _constraint(table: Table, name: str) -> CheckConstraint:
    found = [each for each in table.constraints if isinstance(each, CheckConstraint) and each.name == name]
    assert len(found) == 1, name
    return found[0]


def _literals(sql: str) -> list[str]:
    return sql.partition(" IN (")[2].rstrip(")").split(", ")
