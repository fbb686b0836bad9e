"""PostgreSQL servers that may be killed: a test's own, durable as in production, in a folder of their own."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from topcoin.infra.database.connect import Role, create_engine_for
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.database.migrations import upgrade
from topcoin.infra.settings import Environment, Settings, load_settings

_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "deadlock_timeout": "50ms",
    "shared_buffers": "32MB",
    "min_wal_size": "32MB",
    "max_wal_size": "48MB",
}
if sys.platform == "linux":
    # Recovery begins by having the disk catch up with what the killed server wrote: at once, and not file by file.
    _SETTINGS["recovery_init_sync_method"] = "syncfs"


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A running server with a migrated database."""

    settings: Settings
    _server: EmbeddedServer

    def kill(self) -> None:
        """Kill the postmaster and all that it has started, as the loss of power would."""
        postmaster = self._server.status().process_id
        assert postmaster is not None
        with psycopg.connect(self._server.url("postgres", "postgres"), autocommit=True) as connection:
            children = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
        for (process_id,) in [(postmaster,), *children]:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)

    def recover(self) -> None:
        """Have it running again: the return is the end of its recovery."""
        with self._server.in_use():
            pass

    def log(self) -> str:
        """What the server has written into its log."""
        return self._server.log.read_text()


@contextmanager
def own_server(parent: Path | None = None) -> Generator[OwnServer]:
    """A server of one's own in a new folder, for the length of a block."""
    folder = Path(tempfile.mkdtemp(prefix="topcoin-faults-", dir=parent))
    # Run by root, the server is another user's, who has to pass through.
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "data", _SETTINGS)
    settings = load_settings(env=Environment.TEST, data_dir=folder / "data")
    try:
        with server.in_use():
            upgrade(settings)
            yield OwnServer(settings, server)
    finally:
        server.stop(force=True)
        shutil.rmtree(folder)


@asynccontextmanager
async def engine_for(settings: Settings) -> AsyncGenerator[AsyncEngine]:
    """Connections as the application's role, closed at the end of the block."""
    engine = create_engine_for(settings, Role.APP)
    try:
        yield engine
    finally:
        await engine.dispose()
