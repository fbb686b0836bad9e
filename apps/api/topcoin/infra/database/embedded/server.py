"""Starting, sharing and stopping the embedded server.

Every command that needs the database goes through `EmbeddedServer.in_use`. The first one in starts the server, the
last one out stops it, unless `start` has pinned it. Who is in is told by locks alone (see `locks`), so that a killed
command counts as gone and a killed server is started again.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from topcoin.infra.database.embedded.cluster import SUPERUSER, check, create, exists, locate, remove
from topcoin.infra.database.embedded.errors import DiskFull, ServerFailed, StillInUse, explaining_os_errors
from topcoin.infra.database.embedded.installation import installation_for
from topcoin.infra.database.embedded.locks import FileLock, exclusive, is_held
from topcoin.infra.database.embedded.postmaster import (
    Postmaster,
    in_use_by,
    read_postmaster,
    remove_stale_postmaster_file,
)
from topcoin.infra.database.embedded.programs import NO_ROOM, Programs, request_fast_shutdown
from topcoin.infra.database.embedded.socket_folder import prepare_socket_folder, socket_folder
from topcoin.infra.database.embedded.system_user import server_user
from topcoin.infra.database.roles import DATABASE
from topcoin.kernel.errors import TopCoinError

_PORT = "5432"
"""A part of the socket's name; nothing listens on the network."""
_PING_SECONDS = 5
_POLL_SECONDS = 0.02
_START_SECONDS = 1800.0
"""Recovery after a crash may take minutes; a server that dies meanwhile is noticed at once."""
_STOP_SECONDS = 300.0
"""A fast shutdown writes a checkpoint."""
_LOG_BYTES = 10_000_000
_TAIL_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the server of a data folder."""

    running: bool
    process_id: int | None
    pinned: bool
    in_use: bool
    cluster: Path
    socket_folder: Path
    log: Path


class EmbeddedServer:
    """The PostgreSQL server of one data folder."""

    def __init__(self, data_dir: Path, server_settings: Mapping[str, str] | None = None) -> None:
        """Name the server; nothing is made or started yet.

        Args:
            data_dir: TopCoin's data folder; the cluster lies in `postgres` in it.
            server_settings: further settings of PostgreSQL, for the time in which we run it.

        """
        self.data_dir = data_dir.expanduser().resolve()
        self.server_settings = dict(server_settings or {})
        self.socket_folder = socket_folder(self.data_dir)
        self.log = self.data_dir / "log" / "postgresql.log"
        self._control = self.data_dir / "postgres.lock"
        self._users = self.data_dir / "postgres.users"
        self._alive = self.data_dir / "postgres.alive"
        self._pin = self.data_dir / "postgres.pinned"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder, where the link to it, if it is one, leads."""
        return (self.data_dir / "postgres").resolve()

    def url(self, user: str, database: str = DATABASE) -> str:
        """The libpq URL by which a role reaches a database of this server."""
        # Every parameter that PGPORT and its like would otherwise decide is named.
        parameters = {"host": self.socket_folder, "port": _PORT, "user": user}
        return f"postgresql:///{database}?{urlencode(parameters, safe='/')}"

    def status(self) -> Status:
        """What is known of the server, without changing anything."""
        with explaining_os_errors(self.data_dir):
            running = is_held(self._alive)
            postmaster = read_postmaster(self.cluster) if running else None
            return Status(
                running=running,
                process_id=postmaster.process_id if postmaster else None,
                pinned=self._pin.exists(),
                in_use=self._seems_used(),
                cluster=self.cluster,
                socket_folder=self.socket_folder,
                log=self.log,
            )

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Have the server running for the length of a block, starting it if need be.

        Whoever leaves last stops it, unless it is pinned.

        Raises:
            TopCoinError: as the errors of this package say.

        """
        self._prepare_data_dir()
        with explaining_os_errors(self.data_dir):
            users = FileLock(self._users)
        with users:
            try:
                with self._in_control():
                    self._ensure_running()
                    users.share()
                yield
            finally:
                self._leave(users)

    def start(self) -> None:
        """Have the server running until `stop`, whoever comes and goes.

        Raises:
            TopCoinError: as the errors of this package say.

        """
        self._prepare_data_dir()
        with self._in_control():
            self._ensure_running()
            self._pin.touch(mode=0o600)

    def stop(self, *, force: bool = False) -> bool:
        """Unpin and stop the server; the result is whether it was running.

        While commands work with it, it is only unpinned, and stops when the last of them ends. With `force` it stops
        at once; what they had not committed is rolled back.

        Raises:
            StillInUse: commands work with it, and `force` was not given.
            ServerFailed: it does not stop.

        """
        if not self._is_begun():
            return False
        with self._in_control():
            self._pin.unlink(missing_ok=True)
            if not is_held(self._alive):
                return False
            if self._has_users() and not force:
                raise StillInUse(
                    "other commands work with the database: it stops when the last of them ends; add --force to stop "
                    "it now"
                )
            self._shut_down()
            return True

    def _is_begun(self) -> bool:
        """Whether anybody has ever started the server of this folder."""
        with explaining_os_errors(self.data_dir):
            return self._control.exists()

    def _seems_used(self) -> bool:
        """Whether commands work with the server, as far as can be told without waiting for who starts or stops it."""
        if not self._is_begun():
            return False
        with FileLock(self._control) as control:
            return not control.try_exclusive() or self._has_users()

    def destroy(self) -> None:
        """Stop the server at once and remove the cluster with all data, wherever it lies; for tests and benchmarks.

        Raises:
            ServerFailed: it does not stop.

        """
        self.stop(force=True)
        if self._is_begun():
            with self._in_control():
                remove(self.data_dir)

    def _prepare_data_dir(self) -> None:
        with explaining_os_errors(self.data_dir):
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.log.parent.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def _in_control(self) -> Generator[None]:
        with explaining_os_errors(self.data_dir), exclusive(self._control):
            yield

    def _leave(self, users: FileLock) -> None:
        # Whoever removed the whole folder has left no server to stop: it notices by itself, and ends.
        if not self._is_begun():
            return
        with self._in_control():
            users.release()
            if not self._pin.exists() and not self._has_users():
                self._shut_down()

    # -- What follows is for whoever is in control ------------------------------------------------------------------

    def _has_users(self) -> bool:
        if not self._users.exists():
            return False
        with FileLock(self._users) as lock:
            return not lock.try_exclusive()

    def _ensure_running(self) -> None:
        """Find the server answering, or else start it once nothing of an earlier one is left."""
        with FileLock(self._alive) as alive:
            _wait_until(
                lambda: alive.try_exclusive() or self._answers(),
                _START_SECONDS,
                f"PostgreSQL is running but does not answer on {self.socket_folder}: see {self.log}",
            )
            if not alive.try_exclusive():
                return
            launched = self._launch(alive)
        # We have let go of the lock of the living, and the server alone holds it: when it dies, the lock is free.
        self._await_readiness(launched)

    def _launch(self, alive: FileLock) -> "_Launched":
        user = server_user(self.cluster)
        programs = Programs(installation_for(user), user, alive)
        place = locate(self.data_dir, user)
        if not exists(place):
            create(place, programs, self.server_settings)
        check(place, programs.installation)
        remove_stale_postmaster_file(place)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        begin = self.log.stat().st_size if self.log.exists() else 0
        prepare_socket_folder(self.socket_folder, user)
        return _Launched(place, programs.launch(*self._arguments(place), log=self.log), begin)

    def _arguments(self, place: Path) -> list[str]:
        """The settings that hold whatever postgresql.conf says: reachable by the private socket, and only there."""
        settings = {
            **self.server_settings,
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "port": _PORT,
            "logging_collector": "off",
        }
        return ["-D", str(place), *(f"--{name}={value}" for name, value in settings.items())]

    def _await_readiness(self, launched: "_Launched") -> None:
        def is_ready() -> bool:
            if not is_held(self._alive):
                self._remove_socket_folder()
                raise self._death(launched)
            found = read_postmaster(launched.place)
            return found == Postmaster(launched.process_id, ready=True) and self._answers()

        _wait_until(is_ready, _START_SECONDS, f"PostgreSQL has not become ready: see {self.log}")

    def _answers(self) -> bool:
        conninfo = make_conninfo(self.url(SUPERUSER, SUPERUSER), connect_timeout=_PING_SECONDS)
        return PGconn.ping(conninfo.encode()) == Ping.OK

    def _death(self, launched: "_Launched") -> TopCoinError:
        """Why a server that we have just started is no more, from what it wrote into the log."""
        with self.log.open("rb") as log:
            log.seek(max(launched.log_begin, self.log.stat().st_size - _TAIL_BYTES))
            tail = log.read().decode(errors="replace").strip()
        if NO_ROOM in tail:
            return DiskFull(f"no space is left for the database in {launched.place}: make room, then try again")
        if 'lock file "' in tail and "already exists" in tail:
            return in_use_by(launched.place, "or one that listens on its socket")
        return ServerFailed(f"PostgreSQL ended as it started; the end of {self.log} says:\n{tail}")

    def _shut_down(self) -> None:
        if not is_held(self._alive):
            return
        user = server_user(self.cluster)
        installation = installation_for(user)
        asked = False

        def is_down() -> bool:
            # A server that is just starting cannot be reached yet.
            nonlocal asked
            asked = asked or request_fast_shutdown(installation, user, self.cluster)
            return not is_held(self._alive)

        _wait_until(is_down, _STOP_SECONDS, f"PostgreSQL does not stop: see {self.log}")
        self._remove_socket_folder()

    def _remove_socket_folder(self) -> None:
        with suppress(OSError):
            self.socket_folder.rmdir()


@dataclass(frozen=True, slots=True)
class _Launched:
    """A server that was started but may not be ready; the log from `log_begin` on is its own."""

    place: Path
    process_id: int
    log_begin: int


def _wait_until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerFailed(otherwise)
        time.sleep(_POLL_SECONDS)
