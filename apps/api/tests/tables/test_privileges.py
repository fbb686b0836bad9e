"""What each role may do is what the tables name, and nothing else."""

import logging
from itertools import product

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import NullPool, Table, create_engine
from support.factories import NOW, account_row, insert_now, user_row

from topcoin.entrypoints.tables import metadata
from topcoin.infra.database import migrations
from topcoin.infra.database.connect import Role, database_url, role_name, sqlalchemy_url
from topcoin.infra.database.privileges import DEFAULT_GRANTS, apply_privileges
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id


def granted(connection: psycopg.Connection, role: str) -> set[tuple[str, str, str]]:
    """What a role may do: privilege, table, and column, which is empty where the whole table is meant."""
    found = connection.execute(
        """
        SELECT privilege_type, relname, '' FROM pg_class CROSS JOIN aclexplode(relacl)
         WHERE relnamespace = 'public'::regnamespace AND grantee = %(role)s::regrole
        UNION ALL
        SELECT privilege_type, relname, attname
          FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid CROSS JOIN aclexplode(attacl)
         WHERE relnamespace = 'public'::regnamespace AND grantee = %(role)s::regrole
        """,
        {"role": role},
    )
    return {(privilege, table, column) for privilege, table, column in found}


def named(table: Table) -> set[tuple[str, str, str]]:
    """What a table's `info` grants the application."""
    grants = {("SELECT", table.name, "")}
    for grant in table.info.get("grants", DEFAULT_GRANTS):
        privilege, _, columns = grant.partition(" (")
        grants |= {(privilege, table.name, column.strip()) for column in columns.rstrip(")").split(",")}
    return grants


BESIDES = {("SELECT", "alembic_version", ""), ("SELECT", "ledger_postings", "")}
"""What is no table of the models."""


def test_the_application_may_do_what_the_tables_name(
    owner_connection: psycopg.Connection, worker_database: Settings
) -> None:
    expected = set.union(BESIDES, *(named(table) for table in metadata.sorted_tables))
    assert granted(owner_connection, role_name(worker_database, Role.APP)) == expected


def test_the_read_only_role_reads_all_but_secrets(
    owner_connection: psycopg.Connection, worker_database: Settings
) -> None:
    privileges = granted(owner_connection, role_name(worker_database, Role.READ))
    assert {privilege for privilege, _, _ in privileges} == {"SELECT"}
    secret = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.info.get("secret")
    }
    guarded = {table for table, _ in secret}
    assert ("users", "hashed_password") in secret
    whole = {table for _, table, column in privileges if not column}
    assert whole == {*metadata.tables, "alembic_version", "ledger_postings"} - guarded
    readable = {(table, column) for _, table, column in privileges if column}
    assert readable == {(name, column.name) for name in guarded for column in metadata.tables[name].columns} - secret


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ledger_entries DEFAULT VALUES",
        "UPDATE ledger_entries SET amount = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE accounts SET virtual_balance = 1",
        "UPDATE accounts SET deposited_amount = 1",
        "UPDATE accounts SET head_hash = ''",
        "DELETE FROM accounts",
        "INSERT INTO accounts (user_id, id, deposited_amount) VALUES (gen_random_uuid(), gen_random_uuid(), 1)",
        "UPDATE wallets SET balance = 1",
        "UPDATE house_funds SET balance = 1",
        "UPDATE audits SET reason = 'other'",
        "DELETE FROM admin_adjustments",
        "DELETE FROM users",
        "ALTER TABLE ledger_entries DISABLE TRIGGER append_only",
        "CREATE TABLE mine (id int)",
        "SET ROLE topcoin_owner",
        "SET session_replication_role = replica",
    ],
)
def test_the_application_cannot(worker_database: Settings, statement: str) -> None:
    with (
        psycopg.connect(database_url(worker_database, Role.APP)) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("table", "statement"),
    list(
        product(
            ["users", "accounts", "orders", "instruments", "audits"],
            ["INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {}"],
        )
    ),
)
def test_the_read_only_role_cannot_write(worker_database: Settings, table: str, statement: str) -> None:
    """Not even in a session that has switched off its role's default of reading only."""
    with psycopg.connect(database_url(worker_database, Role.READ)) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.commit()
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.format(table).encode())


def test_the_read_only_role_cannot_see_password_hashes(worker_database: Settings) -> None:
    with psycopg.connect(database_url(worker_database, Role.READ)) as connection:
        assert connection.execute("SELECT email FROM users").fetchall()
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT hashed_password FROM users")


def test_nobody_else_may_call_our_functions(owner_connection: psycopg.Connection) -> None:
    open_to_all = owner_connection.execute(
        "SELECT proname FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')"
    ).fetchall()
    assert open_to_all == []


def test_the_read_only_role_calls_only_what_changes_nothing(
    owner_connection: psycopg.Connection, worker_database: Settings
) -> None:
    callable_ones = owner_connection.execute(
        "SELECT proname, provolatile, prosecdef FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(%s, oid, 'EXECUTE')",
        [role_name(worker_database, Role.READ)],
    ).fetchall()
    assert "normal_email" in {name for name, _, _ in callable_ones}
    assert [name for name, volatile, definer in callable_ones if volatile == "v" or definer] == []


def test_a_function_with_its_owners_rights_is_a_door_we_know_and_looks_up_nothing_elsewhere(
    owner_connection: psycopg.Connection,
) -> None:
    doors = owner_connection.execute(
        "SELECT proname, coalesce(array_to_string(proconfig, ' '), '') FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY proname"
    ).fetchall()
    assert {name for name, _ in doors} == {"ledger_post", "users_keep_email_claim"}
    for name, settings in doors:
        assert "search_path=pg_catalog, public, pg_temp" in settings, name


@pytest.mark.parametrize("table", ["ledger_entries", "audits", "admin_adjustments"])
def test_history_is_guarded_in_replica_sessions_too(owner_connection: psycopg.Connection, table: str) -> None:
    """LED-4: the triggers are enabled ALWAYS, so that `session_replication_role` does not switch them off."""
    triggers = owner_connection.execute(
        "SELECT tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE 'append_only%%'", [table]
    ).fetchall()
    assert len(triggers) >= 2
    assert {enabled for (enabled,) in triggers} == {"A"}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger_entries SET amount = 2", "DELETE FROM ledger_entries", "TRUNCATE ledger_entries"],
)
def test_the_owner_cannot_rewrite_the_ledger(owner_connection: psycopg.Connection, statement: str) -> None:
    """LED-4, by trigger."""
    user = user_row()
    account = account_row(user["id"])
    entry = {
        "user_id": user["id"],
        "account_id": account["id"],
        "sequence": 1,
        "journal_id": new_id(),
        "created_at": NOW,
        "line_no": 1,
        "entry_type": "admin_adjustment",
        "unit": "VUSD",
        "book": "virtual",
        "contra": "operator_adjustment",
        "amount": 1,
        "balance_after": 1,
        "description": "Bonus",
        "reference_type": "admin_adjustment",
        "reference_id": "1",
        "content_hash": bytes(32),
        "entry_hash": bytes(32),
    }
    for table, row in (("users", user), ("accounts", account), ("ledger_entries", entry)):
        insert_now(owner_connection, table, row)
    with pytest.raises(psycopg.DatabaseError, match="ledger_entries is append-only") as refused:
        owner_connection.execute(statement.encode())
    assert refused.value.sqlstate == "TC001"


def test_a_migration_takes_back_what_was_granted_beside_it(database: Settings) -> None:
    app, read = role_name(database, Role.APP), role_name(database, Role.READ)
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        before = granted(connection, app), granted(connection, read)
        connection.execute(f"GRANT ALL ON ledger_entries, accounts TO {app}, {read}".encode())
        connection.execute(f"GRANT UPDATE (amount) ON ledger_entries TO {app}".encode())
        connection.execute(f"REVOKE ALL ON orders FROM {app}".encode())
        connection.commit()
        assert (granted(connection, app), granted(connection, read)) != before
        connection.commit()
        migrations.upgrade(database)
        assert (granted(connection, app), granted(connection, read)) == before


@pytest.mark.parametrize(
    ("app", "said"), [("nobody_of_that_name", "does not exist"), ("topcoin_owner", "owns the tables")]
)
def test_a_role_that_cannot_be_told_apart_is_said_and_left_out(
    database: Settings, caplog: pytest.LogCaptureFixture, app: str, said: str
) -> None:
    read = role_name(database, Role.READ)
    engine = create_engine(sqlalchemy_url(database, Role.OWNER), poolclass=NullPool)
    with caplog.at_level(logging.WARNING), engine.begin() as connection:
        apply_privileges(connection, app_role=app, read_role=read)
    assert [app in record.getMessage() and said in record.getMessage() for record in caplog.records] == [True]
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        assert ("SELECT", "orders", "") in granted(connection, read)
        owner = connection.execute("SELECT has_table_privilege(current_user, 'orders', 'INSERT')").fetchone()
        assert owner == (True,)
