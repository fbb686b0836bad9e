"""The ledger's tables by themselves: every rule refuses what breaks it, whoever writes (LED-1, LED-2, LED-4)."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from support.factories import NOW, AccountKey, Row, account_row, insert, insert_now, user_row
from support.rules import Cases, broken_rule, check_rules, rules_of

from topcoin.infra.database.connect import Role, database_url, sqlalchemy_url
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.chart.domain import HOUSE_ID

MINUS = Decimal("-0.00000001")
HASH = bytes(32)


@pytest.fixture
async def owner(worker_database: Settings) -> AsyncGenerator[AsyncSession]:
    """A session as the owner of the tables, rolled back: what the application's role may not write is written too."""
    engine = create_async_engine(sqlalchemy_url(worker_database, Role.OWNER))
    async with engine.connect() as connection, AsyncSession(connection) as session:
        yield session
        await session.rollback()
    await engine.dispose()


async def keys(session: AsyncSession | AsyncConnection) -> tuple[AccountKey, UUID]:
    """An account, and a wallet."""
    user, wallet_id = user_row(), new_id()
    account = account_row(user["id"])
    await insert(session, "users", user)
    await insert(session, "accounts", account)
    await insert(session, "wallets", wallet_row(id=wallet_id))
    return AccountKey(user["id"], account["id"]), wallet_id


def wallet_row(**changes: object) -> Row:
    """An empty wallet that was never reconciled."""
    wallet_id = new_id()
    return {"id": wallet_id, "wallet_type": "business_deposit", "name": f"w {wallet_id}", "currency": "btc", **changes}


def entry_row(account: AccountKey, **changes: object) -> Row:
    """An operator's adjustment: the first line of its journal, and the first entry of its account."""
    return {
        **account.columns(),
        "sequence": 1,
        "journal_id": new_id(),
        "line_no": 1,
        "created_at": NOW,
        "entry_type": "admin_adjustment",
        "unit": "VUSD",
        "book": "virtual",
        "contra": "operator_adjustment",
        "amount": Decimal(5),
        "balance_after": Decimal(5),
        "description": "Operator adjustment",
        "reference_type": "admin_adjustment",
        "reference_id": "a-1",
        "content_hash": HASH,
        "entry_hash": HASH,
        **changes,
    }


def internal_row(account: AccountKey, **changes: object) -> Row:
    """A transfer between two books of one account."""
    moved = {
        "entry_type": "withdrawal",
        "unit": "USD",
        "book": "hold",
        "contra": "deposited",
        "contra_balance_after": Decimal(0),
        "reference_type": "withdrawal",
    }
    return entry_row(account, **{**moved, **changes})


def custody_row(account: AccountKey, wallet_id: UUID, **changes: object) -> Row:
    """A deposit."""
    moved = {
        "entry_type": "deposit",
        "unit": "USD",
        "book": "deposited",
        "contra": "custody",
        "wallet_id": wallet_id,
        "reference_type": "deposit",
    }
    return entry_row(account, **{**moved, **changes})


async def test_every_rule_of_ledger_entries_refuses_what_breaks_it(owner: AsyncSession) -> None:
    account, wallet_id = await keys(owner)
    house = AccountKey(HOUSE_ID, HOUSE_ID)
    plain, internal, custody = entry_row(account), internal_row(account), custody_row(account, wallet_id)
    second = entry_row(account, line_no=2, content_hash=None)
    of_house = custody_row(
        house,
        wallet_id,
        sequence=10**9,
        entry_type="valuation",
        book="valuation",
        reference_type="wallet",
        balance_after=None,
    )
    cases: Cases = {
        "in_chart": [
            (plain, {"reference_type": "position"}),
            (plain, {"entry_type": "trade_pnl"}),
            (plain, {"contra": "simulated_market"}),
            (custody, {"amount": Decimal(-5)}),
            (plain, {"entry_type": "gift"}),
        ],
        "description_not_blank": [(plain, {"description": ""}), (plain, {"description": "  "})],
        "reference_id_not_blank": [(plain, {"reference_id": " "})],
        "amount_not_zero": [(entry_row(account, amount=Decimal(-5)), {"amount": Decimal(0)})],
        "numbers": [(plain, {"amount": Decimal("NaN")})],
        "balances_of_own_books": [
            (plain, {"balance_after": None}),
            (plain, {"contra_balance_after": Decimal(0)}),
            (internal, {"contra_balance_after": None}),
            (of_house, {"balance_after": Decimal(0)}),
            (of_house, {**account.columns(), "sequence": 1}),
            (plain, {**house.columns(), "sequence": 10**9}),
        ],
        "custody_names_wallet": [(custody, {"wallet_id": None}), (plain, {"wallet_id": wallet_id})],
        "numbered_from_one": [(plain, {"sequence": 0}), (second, {"line_no": 0})],
        "hashes_present": [
            (plain, {"entry_hash": bytes(31)}),
            (plain, {"content_hash": bytes(33)}),
            (plain, {"content_hash": None}),
            (second, {"content_hash": HASH}),
        ],
        "reverses_on_first_line": [(entry_row(account, reverses=new_id()), {"line_no": 2, "content_hash": None})],
        "metadata_object": [(entry_row(account, metadata={}), {"metadata": []})],
    }
    assert {*cases, "one_unit"} == rules_of("ledger_entries")
    for rule, (row, change) in [(rule, example) for rule, examples in cases.items() for example in examples]:
        assert await broken_rule(owner, "ledger_entries", row) is None, (rule, row)
        assert await broken_rule(owner, "ledger_entries", {**row, **change}) == rule, change


@pytest.mark.parametrize("change", [{"unit": "USD"}, {"contra": "custody"}, {"book": "hold"}, {"unit": "EUR"}])
async def test_one_unit_stands_without_the_chart(owner: AsyncSession, change: Row) -> None:
    """P1: the rule that `in_chart` otherwise forestalls, since PostgreSQL tries rules by name, holds by itself."""
    account, _ = await keys(owner)
    for name in ("in_chart", "custody_names_wallet", "balances_of_own_books"):
        await owner.execute(text(f"ALTER TABLE ledger_entries DROP CONSTRAINT ck_ledger_entries_{name}"))
    row = entry_row(account)
    assert await broken_rule(owner, "ledger_entries", row) is None
    assert await broken_rule(owner, "ledger_entries", {**row, **change}) == "one_unit"


async def test_an_entry_belongs_to_an_account_of_its_customer_and_names_a_wallet_that_exists(
    owner: AsyncSession,
) -> None:
    account, wallet_id = await keys(owner)
    other, _ = await keys(owner)
    crossed = AccountKey(other.user_id, account.account_id)
    assert await broken_rule(owner, "ledger_entries", entry_row(crossed)) == (
        "fk_ledger_entries_user_id_account_id_accounts"
    )
    assert await broken_rule(owner, "ledger_entries", custody_row(account, new_id())) == (
        "fk_ledger_entries_wallet_id_wallets"
    )
    assert await broken_rule(owner, "ledger_entries", custody_row(account, wallet_id)) is None


async def test_numbers_lines_and_reversals_are_unique(owner: AsyncSession) -> None:
    """LED-3 and LED-5 in the database: a number once, a journal's line once, a journal reversed once."""
    account, _ = await keys(owner)
    reversed_id = new_id()
    first = entry_row(account, reverses=reversed_id)
    await insert(owner, "ledger_entries", first)
    assert await broken_rule(owner, "ledger_entries", entry_row(account)) == "pk_ledger_entries"
    again = entry_row(account, sequence=2, journal_id=first["journal_id"])
    assert await broken_rule(owner, "ledger_entries", again) == "uq_ledger_entries_user_id_journal_id_line_no"
    twice = entry_row(account, sequence=2, reverses=reversed_id)
    assert await broken_rule(owner, "ledger_entries", twice) == "uq_ledger_entries_reverses"
    assert await broken_rule(owner, "ledger_entries", entry_row(account, sequence=2)) is None


async def test_every_rule_of_accounts_refuses_what_breaks_it(owner: AsyncSession) -> None:
    """LED-2: one rule for each book."""
    user = user_row()
    await insert(owner, "users", user)
    empty = account_row(user["id"])
    open_position = account_row(user["id"], virtual_balance=Decimal(-1), margin_used=Decimal("0.00000001"))
    traded = account_row(user["id"], total_trades=2, winning_trades=1, losing_trades=1)
    begun = account_row(user["id"], entry_count=1, last_entry_at=NOW + timedelta(seconds=1))
    books = {
        "deposited_not_negative": "deposited_amount",
        "profit_not_negative": "approved_profit",
        "review_not_negative": "deposit_review",
        "hold_not_negative": "withdrawal_hold",
        "virtual_hold_not_negative": "virtual_hold",
        "allocated_not_negative": "allocated",
        "margin_used_not_negative": "margin_used",
    }
    figures = ("equity_cached", "margin_used", "margin_available", "realized_pnl")
    await check_rules(
        owner,
        "accounts",
        {
            **{rule: [(empty, {column: MINUS})] for rule, column in books.items()},
            "virtual_negative_only_with_positions": [
                (open_position, {"margin_used": Decimal(0)}),
                (empty, {"virtual_balance": MINUS}),
            ],
            "numbers": [(empty, {column: Decimal("NaN")}) for column in figures],
            "position_mode_known": [(empty, {"position_mode": "both"})],
            "trades_add_up": [
                (traded, {"total_trades": 1}),
                (empty, {"winning_trades": 1}),
                (traded, {"winning_trades": -1}),
                (traded, {"losing_trades": -1}),
            ],
            "frozen_has_reason": [
                (account_row(user["id"], is_frozen=True, frozen_reason="Review"), {"frozen_reason": " "}),
                (empty, {"is_frozen": True}),
            ],
            "head_consistent": [
                (begun, {"last_entry_at": None}),
                (begun, {"entry_count": 0}),
                (begun, {"entry_count": -1}),
                (begun, {"head_hash": bytes(31)}),
            ],
        },
    )


async def test_every_rule_of_house_funds_refuses_what_breaks_it(owner: AsyncSession) -> None:
    await owner.execute(text("DELETE FROM house_funds"))
    row = {"id": 1, "balance": Decimal(0)}
    await check_rules(
        owner,
        "house_funds",
        {
            "one_row": [(row, {"id": 2})],
            "balance_not_negative": [(row, {"balance": MINUS})],
        },
    )


async def test_every_rule_of_wallets_refuses_what_breaks_it(owner: AsyncSession) -> None:
    row = wallet_row(balance=Decimal(5), reserved_amount=Decimal(5))
    known = wallet_row(reconciliation_status="matched", last_reconciled_at=NOW)
    cases: dict[str, list[tuple[Row, Row]]] = {
        "name_not_blank": [(row, {"name": " "})],
        "wallet_type_not_blank": [(row, {"wallet_type": ""})],
        "currency_not_blank": [(row, {"currency": ""})],
        "reconciliation_status_known": [(known, {"reconciliation_status": "fine"})],
        "balance_not_negative": [(wallet_row(balance=Decimal(0)), {"balance": MINUS, "reserved_amount": MINUS})],
        "reserved_within_balance": [
            (row, {"reserved_amount": Decimal("5.00000001")}),
            (row, {"reserved_amount": MINUS}),
        ],
        "reconciled_has_time": [(known, {"last_reconciled_at": None}), (row, {"last_reconciled_at": NOW})],
        "numbers": [(row, {"difference": Decimal("NaN")})],
    }
    await check_rules(owner, "wallets", cases)


async def test_what_is_available_in_a_wallet_is_computed(owner: AsyncSession, session: AsyncSession) -> None:
    row = wallet_row(balance=Decimal(5), reserved_amount=Decimal("1.5"))
    await insert(owner, "wallets", row)
    available = await owner.scalar(text("SELECT available FROM wallets WHERE id = :id"), {"id": row["id"]})
    assert available == Decimal("3.5")
    with pytest.raises(ProgrammingError):
        await insert(session, "wallets", wallet_row(available=Decimal(1)))


# -- Privileges: what the application's role and the read-only role cannot do ------------------------------------------

BALANCES = [
    "deposited_amount",
    "approved_profit",
    "deposit_review",
    "withdrawal_hold",
    "virtual_balance",
    "virtual_hold",
    "allocated",
    "credit_due",
    "entry_count",
    "head_hash",
    "last_entry_at",
    "user_id",
    "id",
]


@pytest.mark.parametrize(
    "statement",
    [
        *(f"UPDATE accounts SET {column} = DEFAULT" for column in BALANCES),  # noqa: S608 - names of columns
        "UPDATE house_funds SET balance = 1",
        "INSERT INTO house_funds (id, balance) VALUES (2, 1)",
        "DELETE FROM house_funds",
        "UPDATE wallets SET balance = 1",
        "DELETE FROM wallets",
        "INSERT INTO wallets (id, wallet_type, name, currency, balance) VALUES (gen_random_uuid(), 'a', 'b', 'c', 1)",
        "INSERT INTO accounts (user_id, id, virtual_balance) VALUES (gen_random_uuid(), gen_random_uuid(), 1)",
        "DELETE FROM accounts",
        "INSERT INTO ledger_entries (user_id) VALUES (gen_random_uuid())",
        "UPDATE ledger_entries SET description = 'x'",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "ALTER TABLE ledger_entries DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION ledger_unit_of(book text) RETURNS text LANGUAGE sql AS 'SELECT ''USD'''",
    ],
)
def test_the_applications_role_writes_no_balance_and_no_entry(worker_database: Settings, statement: str) -> None:
    """LED-4 by privilege: `ledger_post` is the only way."""
    with (
        psycopg.connect(database_url(worker_database, Role.APP)) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_the_applications_role_cannot_go_around_by_functions_of_its_own(worker_database: Settings) -> None:
    with psycopg.connect(database_url(worker_database, Role.APP)) as connection:
        for statement in ("CREATE SCHEMA mine", "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"):
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())


def test_the_read_only_role_cannot_post_but_may_compute(worker_database: Settings) -> None:
    with psycopg.connect(database_url(worker_database, Role.READ)) as connection:
        found = connection.execute(
            "SELECT proname, has_function_privilege(oid, 'EXECUTE') FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'ledger%%' ORDER BY proname"
        ).fetchall()
    may = {str(name) for name, executes in found if executes}
    assert "ledger_post" in {name for name, _ in found}
    assert may == {"ledger_chart_allows", "ledger_is_own_book", "ledger_sequence_at", "ledger_unit_of"}


@pytest.mark.parametrize("replication_role", ["origin", "replica"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET description = description",
        "UPDATE ledger_entries SET amount = 1 WHERE sequence = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
    ],
)
def test_not_even_the_owner_changes_an_entry(
    owner_connection: psycopg.Connection,
    shared_server: EmbeddedServer,
    replication_role: str,
    statement: str,
) -> None:
    """LED-4 by trigger, in ordinary sessions and, for a superuser, in ones that ask for replica mode."""
    name = owner_connection.info.dbname
    with psycopg.connect(shared_server.url("postgres", name)) as connection:
        connection.execute(f"SET session_replication_role = {replication_role}".encode())
        user = user_row()
        account = account_row(user["id"])
        insert_now(connection, "users", user)
        insert_now(connection, "accounts", account)
        insert_now(connection, "ledger_entries", entry_row(AccountKey(user["id"], account["id"])))
        with pytest.raises(psycopg.Error, match="ledger_entries is append-only") as refused, connection.transaction():
            connection.execute(statement.encode())
        assert refused.value.sqlstate == "TC001"
        connection.rollback()
