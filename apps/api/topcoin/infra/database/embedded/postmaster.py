"""The file `postmaster.pid`, in which PostgreSQL's main process says who it is and how far it has come."""

import time
from dataclasses import dataclass
from pathlib import Path

from topcoin.infra.database.embedded.errors import ClusterInUse

_FILE = "postmaster.pid"
_STATUS_LINE = 7
_READY = {"ready", "standby"}
_PROCESSES = Path("/proc")
_ENDING_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What the file says. A killed server leaves it behind, so that it proves nothing by itself."""

    process_id: int
    ready: bool


def read_postmaster(place: Path) -> Postmaster | None:
    """Read the file of a cluster; None where there is none, or it is just being written."""
    try:
        lines = (place / _FILE).read_text().splitlines()
        return Postmaster(int(lines[0]), len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() in _READY)
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None


def remove_stale_postmaster_file(place: Path) -> None:
    """Remove the file of a killed server whose process id somebody else may have by now.

    PostgreSQL would take any process with that id for itself and refuse to start; after the restart of a container,
    where ids are few and small, that happens often. Where the system has no /proc, the decision is left to PostgreSQL.

    Raises:
        ClusterInUse: the process is indeed a server at work in this folder, and not one of ours.

    """
    found = read_postmaster(place)
    if found is None or not _PROCESSES.exists():
        return
    deadline = time.monotonic() + _ENDING_SECONDS
    while _works_in(found.process_id, place):
        if time.monotonic() > deadline:
            raise in_use_by(place, f"the process {found.process_id}")
        time.sleep(_POLL_SECONDS)
    (place / _FILE).unlink(missing_ok=True)


def in_use_by(place: Path, whom: str) -> ClusterInUse:
    """The refusal to share a folder with a server that is not ours."""
    return ClusterInUse(
        f"another PostgreSQL server, {whom}, works on {place}: stop it, or name another folder in TOPCOIN_DATA_DIR"
    )


def _works_in(process_id: int, place: Path) -> bool:
    """Whether a process has the folder as its working directory, as each of PostgreSQL's has."""
    try:
        return (_PROCESSES / str(process_id) / "cwd").readlink() == place.resolve()
    except OSError:
        return False
