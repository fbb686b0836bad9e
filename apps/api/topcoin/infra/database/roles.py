"""The three roles of the database and their names in the embedded one. Light to import: the command line needs it."""

from enum import StrEnum

DATABASE = "topcoin"
"""The name of the embedded database."""


class Role(StrEnum):
    """As whom a process signs in to the database; none of them is a superuser."""

    OWNER = "owner"
    """Owns the tables; migrations run as it."""
    APP = "app"
    """The application: reads, and writes what each table grants it."""
    READ = "read"
    """Reports and auditors: reads only."""


def embedded_role_name(role: Role) -> str:
    """What PostgreSQL calls a role in the embedded database."""
    return f"topcoin_{role}"
