"""How Alembic reaches the database: as its owner, one migration at a time, with time-outs, privileges at the end.

The settings come from the caller (`Config.attributes["settings"]`, as `topcoin.infra.database.migrations` hands them
over) or from the environment, so that `alembic upgrade head` works by itself, with the embedded database too.
"""

import logging
from collections.abc import Iterable
from typing import Any, Literal

from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text

from alembic import context
from topcoin.entrypoints.tables import metadata
from topcoin.infra.database.connect import Role, role_name, running_database, sqlalchemy_url
from topcoin.infra.database.privileges import apply_privileges
from topcoin.infra.database.tables import EnumText
from topcoin.infra.settings import Settings, current_settings

MIGRATION_LOCK = 7_261_001
"""The advisory lock that a migration holds; any number will do, as long as it is always the same."""

WAIT_FOR_MIGRATION = "5min"
"""How long to wait for another migration to end."""

LOCK_TIMEOUT = "5s"
"""How long a statement may wait for a table: everyone who comes after it waits as long."""

STATEMENT_TIMEOUT = "30min"
"""How long one statement may take; a longer backfill belongs in batches."""

JOB_QUEUE_PREFIX = "procrastinate_"
"""Tables that the job queue brings and migrates itself."""


def include_name(name: str | None, kind: str, parents: Any) -> bool:  # noqa: ANN401, ARG001 - Alembic's signature
    """Compare our own tables only."""
    return kind != "table" or not (name or "").startswith(JOB_QUEUE_PREFIX)


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:  # noqa: ANN401, ARG001 - Alembic's signature
    """Write an enum column as the text that it is, so that a revision outlives the code it was made from."""
    return "sa.Text()" if kind == "type" and isinstance(item, EnumText) else False


def number_revision(
    migration_context: MigrationContext,  # noqa: ARG001 - Alembic's signature
    revision: Any,  # noqa: ANN401, ARG001 - Alembic's signature
    directives: Iterable[MigrationScript],
) -> None:
    """Number revisions 0001, 0002 … in place of random letters."""
    numbers = [int(script.revision) for script in ScriptDirectory.from_config(context.config).walk_revisions()]
    for directive in directives:
        directive.rev_id = f"{max(numbers, default=0) + 1:04d}"


def configure(**where: Any) -> None:  # noqa: ANN401 - Alembic's options
    """Say what is compared, and how."""
    context.configure(
        **where,
        target_metadata=metadata,
        include_name=include_name,
        render_item=render_item,
        process_revision_directives=number_revision,
        compare_type=True,
        compare_server_default=True,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        transaction_per_migration=True,
    )


def print_sql() -> None:
    """Write the SQL of `--sql` instead of running it."""
    configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def migrate(connection: Connection, settings: Settings) -> None:
    """Run what was asked for, alone, and leave the roles with the privileges that the tables name."""
    connection.execute(text("SELECT set_config('lock_timeout', :wait, false)"), {"wait": WAIT_FOR_MIGRATION})
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
    connection.execute(text("SELECT set_config('lock_timeout', :wait, false)"), {"wait": LOCK_TIMEOUT})
    connection.execute(text("SELECT set_config('statement_timeout', :time, false)"), {"time": STATEMENT_TIMEOUT})
    connection.commit()

    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

    migration = context.get_context()
    asked_to_migrate = "destination_rev" in migration.opts
    at_head = set(migration.get_current_heads()) == set(ScriptDirectory.from_config(context.config).get_heads())
    connection.rollback()
    if asked_to_migrate and at_head:
        with connection.begin():
            apply_privileges(
                connection,
                app_role=role_name(settings, Role.APP),
                read_role=role_name(settings, Role.READ),
            )


def run() -> None:
    """Find the database that the settings name; the embedded one is started if it does not run."""
    settings: Settings = context.config.attributes.get("settings") or current_settings()
    with running_database(settings):
        engine = create_engine(sqlalchemy_url(settings, Role.OWNER), poolclass=NullPool)
        with engine.connect() as connection:
            migrate(connection, settings)


if context.config.cmd_opts is not None:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)

if context.is_offline_mode():
    print_sql()
else:
    run()
