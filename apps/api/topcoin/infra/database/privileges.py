"""What the application's role and the read-only role may do, kept beside the tables and applied after each migration.

Nobody but the owner changes a table's shape. The application reads everything, and writes what a table's
`info["grants"]` says (see `tables.py`), which is nothing for the ledger: there, functions with their owner's rights
are the only way in. So each function of the schema that runs with its owner's rights is a door of the application, and
must be written as one. The read-only role reads everything but columns marked secret, and calls only functions that
promise to change nothing.
"""

import logging
from collections.abc import Iterable

from sqlalchemy import Connection, MetaData, Table, inspect, text

from topcoin.infra.database.tables import Base

DEFAULT_GRANTS = ("INSERT", "UPDATE", "DELETE")

log = logging.getLogger(__name__)


def apply_privileges(
    connection: Connection, *, app_role: str, read_role: str, metadata: MetaData = Base.metadata
) -> None:
    """Give both roles exactly the privileges that the tables name, whatever they had before.

    Runs in the caller's transaction, as the owner of the tables, after all models are imported; may be repeated. A role
    that does not exist, or is the owner itself, is left out with a warning, since a database shared by one role for
    everything works too, without this line of defence.
    """
    app, read = (_quoted_role(connection, role) for role in (app_role, read_role))
    roles = [role for role in (app, read) if role is not None]
    _close(connection, roles)
    if roles:
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {', '.join(roles)}")
        _open_to_all(connection, roles)
    present = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name in present:
            _open_table(connection, table, app, read)
    _open_functions(connection, app, read)


def _quoted_role(connection: Connection, role: str) -> str | None:
    """The role as an SQL name, or None where it cannot be granted anything apart from the owner."""
    found = connection.execute(
        text("SELECT current_user = :role AS is_owner, quote_ident(:role) AS name FROM pg_roles WHERE rolname = :role"),
        {"role": role},
    ).one_or_none()
    if found is None:
        log.warning("role %s does not exist: create it and migrate again to give it its privileges", role)
        return None
    if found.is_owner:
        log.warning("role %s owns the tables: give the application a role of its own, so that it cannot rewrite", role)
        return None
    return found.name


def _close(connection: Connection, roles: Iterable[str]) -> None:
    """Take everything from everyone: what is not granted below is not granted. Others' objects stay as they are."""
    everyone = ", ".join(["PUBLIC", *roles])
    ours = connection.execute(
        text(
            "SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || oid::regclass FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')"
            " AND pg_has_role(relowner, 'USAGE')"
            " UNION ALL SELECT 'ROUTINE ' || oid::regprocedure FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace AND pg_has_role(proowner, 'USAGE')"
        )
    )
    for name in ours.scalars().all():
        connection.exec_driver_sql(f"REVOKE ALL ON {name} FROM {everyone}")


def _open_to_all(connection: Connection, roles: list[str]) -> None:
    """Let both roles read what is no table of ours: views, and which revision the database is at."""
    names = connection.execute(
        text(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND (relkind IN ('v', 'm') OR relname = 'alembic_version') AND pg_has_role(relowner, 'USAGE')"
        )
    ).scalars()
    for name in names.all():
        connection.exec_driver_sql(f"GRANT SELECT ON public.{name} TO {', '.join(roles)}")


def _open_table(connection: Connection, table: Table, app: str | None, read: str | None) -> None:
    name = f"public.{connection.dialect.identifier_preparer.quote(table.name)}"
    if app is not None:
        for privilege in ("SELECT", *table.info.get("grants", DEFAULT_GRANTS)):
            connection.exec_driver_sql(f"GRANT {privilege} ON {name} TO {app}")
        for sequence in _sequences(connection, table):
            connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE {sequence} TO {app}")
    if read is not None:
        connection.exec_driver_sql(f"GRANT SELECT {_readable(connection, table)} ON {name} TO {read}")


def _readable(connection: Connection, table: Table) -> str:
    """The list of columns that the read-only role may see; empty, for all, where none is secret."""
    quote = connection.dialect.identifier_preparer.quote
    if not any(column.info.get("secret") for column in table.columns):
        return ""
    return f"({', '.join(quote(column.name) for column in table.columns if not column.info.get('secret'))})"


def _sequences(connection: Connection, table: Table) -> list[str]:
    """The sequences behind a table's columns."""
    return list(
        connection.execute(
            text(
                "SELECT d.objid::regclass::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid"
                " WHERE s.relkind = 'S' AND d.deptype IN ('a', 'i') AND d.refobjid = to_regclass(:name)"
            ),
            {"name": f"public.{table.name}"},
        ).scalars()
    )


def _open_functions(connection: Connection, app: str | None, read: str | None) -> None:
    """Let the application call every function, and the read-only role those that change nothing.

    A trigger's function is called by whoever writes the table, without a right of their own to it.
    """
    functions = connection.execute(
        text(
            "SELECT oid::regprocedure::text AS signature, provolatile <> 'v' AND NOT prosecdef AS only_reads"
            " FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype"
            " AND prokind IN ('f', 'w') AND pg_has_role(proowner, 'USAGE')"
        )
    )
    for function in functions.all():
        if app is not None:
            connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {function.signature} TO {app}")
        if read is not None and function.only_reads:
            connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {function.signature} TO {read}")
