"""Conventions of every table: names of constraints, columns of money and time, enums as text, placement.

`Table.info["placement"]` says where a table lives once customers are spread over several machines:

- `customer`: with its customer; the primary key and every unique key begin with `user_id`;
- `reference`: copied to every machine;
- `instrument`: with its instrument;
- `local`: on one machine only, as the claims that must be unique over all customers are.

The column that holds the customer is `user_id`; a table whose own key is the customer's id says so in
`Table.info["customer_key"]`.

`Table.info["grants"]` says what the application's role may do with a table beyond reading it: a collection of
privileges in SQL's words, such as `INSERT` or `UPDATE (is_active)`. The default is INSERT, UPDATE and DELETE. Only a
table whose `Table.info["transient"]` says that its rows come and go grants DELETE.
`Column.info["secret"]` marks a column that the read-only role may not read.

NUMERIC(28,8) holds NaN, and PostgreSQL counts it as larger than every number: `amount > 0` is true of it. So every
table with numbers has the rule `are_numbers`, or bounds each of them from above.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKeyConstraint, MetaData, Numeric, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

EnumType = TypeVar("EnumType", bound=StrEnum)


class EnumText(TypeDecorator[EnumType]):
    """A StrEnum kept as text; `one_of` adds the CHECK that names the allowed values."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[EnumType]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: EnumType | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse a text that is no member before it reaches the database."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> EnumType | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give the member back."""
        return None if value is None else self.kind(value)


def quoted(members: Iterable[StrEnum]) -> str:
    """The values of enum members as a list of SQL literals."""
    return ", ".join(f"'{member.value}'" for member in members)


def check(name: str, condition: str) -> CheckConstraint:
    """A rule of the business that a row alone can break, by the name that its violation is reported under."""
    return CheckConstraint(condition, name=name)


def one_of(column: str, kind: Iterable[StrEnum]) -> CheckConstraint:
    """The CHECK that a text column holds a value of an enum (NULL passes, where the column allows it)."""
    return CheckConstraint(f"{column} IN ({quoted(kind)})", name=f"{column}_known")


def not_blank(column: str) -> CheckConstraint:
    """The CHECK that a text says something."""
    return CheckConstraint(f"btrim({column}) <> ''", name=f"{column}_not_blank")


def is_code(column: str) -> CheckConstraint:
    """The CHECK that a text is a code for programs: lower case, words joined by underscores."""
    return CheckConstraint(f"{column} ~ '^[a-z][a-z0-9_]*$'", name=f"{column}_is_code")


def are_numbers(*columns: str) -> CheckConstraint:
    """The CHECK that none of the columns holds NaN (NULL passes, where a column allows it)."""
    return CheckConstraint(f"'NaN'::numeric NOT IN ({', '.join(columns)})", name="numbers")


def of_account() -> ForeignKeyConstraint:
    """The foreign key of a customer's row to an account, which can only be one of the same customer."""
    return ForeignKeyConstraint(["user_id", "account_id"], ["accounts.user_id", "accounts.id"], ondelete="RESTRICT")


def of_user() -> ForeignKeyConstraint:
    """The foreign key of a customer's row to the customer."""
    return ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="RESTRICT")


Amount = Annotated[Decimal, mapped_column(Numeric(28, 8))]
"""Money, of USD or VUSD as the column's name says."""

Price = Annotated[Decimal, mapped_column(Numeric(28, 8))]
"""A market price in the instrument's quote currency."""

Quantity = Annotated[Decimal, mapped_column(Numeric(28, 8))]
"""A size in lots, contracts, coins or units."""

Fraction = Annotated[Decimal, mapped_column(Numeric(18, 8))]
"""A ratio: 0.055 is 5.5%."""

Percentage = Annotated[Decimal, mapped_column(Numeric(18, 8))]
"""A figure in per cent: 5.5 is 5.5%. The column's name ends in `_pct`."""

Json = Annotated[dict[str, Any], mapped_column(JSONB)]

CreatedAt = Annotated[datetime, mapped_column(server_default=text("now()"))]
"""When the row was made; services give their clock's time."""

StaffId = Annotated[
    UUID, mapped_column(comment="A staff member's user id; no foreign key, as that row lives elsewhere")
]
"""Who of the staff acted on a customer's row. The member's own row lives on their shard, beyond a foreign key."""


class Base(DeclarativeBase):
    """The one registry of tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        int: BigInteger,
        UUID: Uuid,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(28, 8),
    }


class CustomerRow:
    """The key of a row that belongs to a customer: `(user_id, id)`, so that it lives where its customer does."""

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
