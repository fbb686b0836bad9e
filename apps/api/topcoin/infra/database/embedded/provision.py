"""SQL that furnishes a cluster: the roles, a database, and who may do what before any table exists."""

from topcoin.infra.database.roles import Role, embedded_role_name


def role_statements() -> tuple[str, ...]:
    """SQL that makes the three roles; they sign in through the private socket and have no password."""
    owner, app, read = map(embedded_role_name, Role)
    return (
        f"CREATE ROLE {owner} LOGIN",
        f"CREATE ROLE {app} LOGIN",
        f"CREATE ROLE {read} LOGIN",
        f"ALTER ROLE {read} SET default_transaction_read_only = on",
    )


def database_statements(database: str, template: str = "template1") -> tuple[str, ...]:
    """SQL that makes a database of the owner's to which the other roles may connect, and nothing more."""
    owner, app, read = map(embedded_role_name, Role)
    return (
        f"CREATE DATABASE {database} OWNER {owner} TEMPLATE {template}",
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {database} TO {app}, {read}",
    )


def schema_statements() -> tuple[str, ...]:
    """SQL that leaves the creation of objects to the owner; tables are opened to the others one by one."""
    app, read = embedded_role_name(Role.APP), embedded_role_name(Role.READ)
    return (
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {app}, {read}",
    )
