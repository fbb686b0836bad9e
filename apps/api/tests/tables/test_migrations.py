"""What the revisions make is what the models say, they go down as well as up, and two never run at once."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, text
from support.factories import (
    AccountKey,
    account_row,
    approved_adjustment_row,
    audit_row,
    credited_deposit_row,
    filled_order_row,
    insert_now,
    instrument_row,
    investment_row,
    plan_row,
    position_row,
    ticket_row,
    user_row,
    withdrawal_row,
)

from topcoin.entrypoints.tables import metadata
from topcoin.infra.database import migrations
from topcoin.infra.database.connect import Role, database_url, sqlalchemy_url
from topcoin.infra.settings import Settings

API = Path(migrations.ALEMBIC_INI).parent

DEFINITIONS = """
SELECT 'column', attrelid::regclass::text, attname, attnum::text,
       concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attgenerated, pg_get_expr(adbin, adrelid))
  FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE attnum > 0 AND relkind = 'r' AND relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, '',
       replace(pg_get_indexdef(indexrelid), current_schema() || '.', '')
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'options', oid::regclass::text, '', '', reloptions::text
  FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""


def definitions(connection: psycopg.Connection, schema: str) -> set[tuple[str, ...]]:
    """Every column, constraint, index and option of a schema's tables, as PostgreSQL writes them."""
    connection.execute("SELECT set_config('search_path', %s, true)", [f"{schema}, public"])
    return {row for row in connection.execute(DEFINITIONS.encode()) if row[1] != "alembic_version"}


def test_the_revisions_make_what_the_models_say(database: Settings) -> None:
    """Down to the text of every CHECK, which Alembic's own comparison tells apart by name alone."""
    engine = create_engine(sqlalchemy_url(database, Role.OWNER), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA drawn"))
        metadata.create_all(connection.execution_options(schema_translate_map={None: "drawn"}), checkfirst=False)
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        drawn, migrated = definitions(connection, "drawn"), definitions(connection, "public")
    assert len(migrated) > 100
    assert drawn == migrated


def test_alembic_finds_no_drift(database: Settings) -> None:
    migrations.check(database)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users ADD COLUMN shoe_size integer",
        "ALTER TABLE users ALTER COLUMN display_name DROP NOT NULL",
        "ALTER TABLE orders ALTER COLUMN size TYPE numeric(30, 8)",
        "ALTER TABLE orders ALTER COLUMN filled_size SET DEFAULT 1",
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_virtual_trade_true",
        "DROP INDEX ix_orders_live",
        "COMMENT ON COLUMN orders.size IS 'Coins'",
        "DROP TABLE aml_alerts",
    ],
)
def test_alembic_finds_drift(database: Settings, change: str) -> None:
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute(change.encode())
    with pytest.raises(migrations.SchemaDrift):
        migrations.check(database)


def test_the_job_queues_tables_are_no_drift(database: Settings) -> None:
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute("CREATE TABLE procrastinate_jobs (id bigint PRIMARY KEY)")
    migrations.check(database)


def fill(database: Settings) -> None:
    """Put something in the tables."""
    user, instrument, plan = user_row(), instrument_row(), plan_row()
    account = account_row(user["id"])
    key = AccountKey(user["id"], account["id"])
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        for table, row in (
            ("users", user),
            ("accounts", account),
            ("instruments", instrument),
            ("ai_investment_plans", plan),
            ("admin_adjustments", approved_adjustment_row(key)),
            ("deposits", credited_deposit_row(key)),
            ("withdrawals", withdrawal_row(key)),
            ("orders", filled_order_row(key, instrument["id"])),
            ("positions", position_row(key, instrument["id"])),
            ("user_investments", investment_row(key, plan["id"])),
            ("support_tickets", ticket_row(user["id"])),
            ("audits", audit_row(user["id"])),
        ):
            insert_now(connection, table, row)


def leftovers(database: Settings) -> list[str]:
    """What stands in the schema besides Alembic's own table."""
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'"
            " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " UNION ALL SELECT typname FROM pg_type"
            " WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%alembic_version'"
        )
        return [name for (name,) in found]


def test_the_revisions_go_down_and_up_on_a_database_with_data(database: Settings) -> None:
    fill(database)
    migrations.downgrade(database, "base")
    assert migrations.current(database) is None
    assert leftovers(database) == []
    migrations.upgrade(database)
    assert migrations.current(database) == migrations.head()
    migrations.check(database)
    fill(database)


def test_each_revision_goes_down_and_up_by_itself(database: Settings) -> None:
    history = [script.revision for script in scripts().walk_revisions()]
    for revision in history:
        assert migrations.current(database) == revision
        if revision == history[0]:
            fill(database)
        migrations.downgrade(database, "-1")
    for revision in reversed(history):
        migrations.upgrade(database, "+1")
        assert migrations.current(database) == revision


def scripts() -> ScriptDirectory:
    """The folder of revisions."""
    return ScriptDirectory.from_config(Config(migrations.ALEMBIC_INI))


def test_revisions_are_numbered_in_one_line() -> None:
    history = [script.revision for script in scripts().walk_revisions()]
    assert history == [f"{number:04d}" for number in range(len(history), 0, -1)]


def test_an_unknown_revision_is_refused_in_words(database: Settings) -> None:
    with pytest.raises(migrations.MigrationRefused, match="9999"):
        migrations.upgrade(database, "9999")


def alembic(database: Settings, *arguments: str) -> subprocess.Popen[str]:
    """Alembic's own command, run as an operator would, in the folder of the API."""
    urls = {
        "TOPCOIN_DATABASE_URL": Role.APP,
        "TOPCOIN_MIGRATION_DATABASE_URL": Role.OWNER,
        "TOPCOIN_READ_DATABASE_URL": Role.READ,
    }
    environment = os.environ | {name: database_url(database, role) for name, role in urls.items()}
    return subprocess.Popen(  # noqa: S603 - our own interpreter, with the test's own words
        [sys.executable, "-m", "alembic", *arguments],
        cwd=API,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_migrations_at_once_are_one_after_the_other(database: Settings) -> None:
    migrations.downgrade(database, "base")
    both = [alembic(database, "upgrade", "head") for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(output.count("Running upgrade") for output in outputs) == [0, len(list(scripts().walk_revisions()))]


@pytest.mark.parametrize(
    ("arguments", "answer"), [(["history"], "0001"), (["current"], "(head)"), (["upgrade", "head", "--sql"], "COMMIT;")]
)
def test_alembic_works_on_the_command_line(database: Settings, arguments: list[str], answer: str) -> None:
    process = alembic(database, *arguments)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert answer in output
