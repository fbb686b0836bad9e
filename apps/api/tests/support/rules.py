"""How the rules of a table are tested: a row that is accepted, and for each rule a change that makes it refuse."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import CheckConstraint, Numeric
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import Row, insert

from topcoin.entrypoints.tables import metadata


def rules_of(table: str) -> set[str]:
    """The names of a table's CHECKs, as the models write them: without the table's."""
    prefix = f"ck_{table}_"
    checks = [each for each in metadata.tables[table].constraints if isinstance(each, CheckConstraint)]
    return {str(check.name).removeprefix(prefix) for check in checks}


async def broken_rule(session: AsyncSession, table: str, row: Row) -> str | None:
    """The rule that refuses a row, or None where it is accepted. Leaves nothing behind."""
    savepoint = await session.begin_nested()
    try:
        await insert(session, table, row)
    except IntegrityError as error:
        constraint = getattr(error.orig, "diag").constraint_name or ""  # noqa: B009 - of psycopg's error, unknown to types
        return str(constraint).removeprefix(f"ck_{table}_")
    finally:
        await savepoint.rollback()
    return None


Cases = Mapping[str, list[tuple[Row, Row]]]
"""For each rule of a table: rows that are accepted, each with a change that the rule refuses."""


async def check_rules(session: AsyncSession, table: str, cases: Cases) -> None:
    """Every rule of the table has a case; each case's row is accepted, and its change refused by that very rule."""
    assert set(cases) == rules_of(table)
    for rule, examples in cases.items():
        assert examples, rule
        for row, change in examples:
            assert await broken_rule(session, table, row) is None, (rule, row)
            assert await broken_rule(session, table, {**row, **change}) == rule, change


async def check_nan_refused(session: AsyncSession, table: str, row: Row) -> None:
    """No number of the table can be NaN."""
    numbers = [column.name for column in metadata.tables[table].columns if isinstance(column.type, Numeric)]
    assert numbers
    assert await broken_rule(session, table, row) is None
    for name in numbers:
        assert await broken_rule(session, table, {**row, name: Decimal("NaN")}) is not None, name
