"""The embedded PostgreSQL: a real server of our own beside the data, for development, tests and small installations.

`EmbeddedServer` is all that others need. docs/operating/database.md tells operators how it behaves, and
docs/decisions/0002-embedded-postgresql.md why.
"""

from topcoin.infra.database.embedded.server import EmbeddedServer, Status

__all__ = ["EmbeddedServer", "Status"]
