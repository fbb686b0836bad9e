"""The folder of the server's Unix socket: private to the server's user, and short enough for the system's limit."""

import hashlib
import stat
from pathlib import Path

from topcoin.infra.database.embedded.errors import NotPermitted
from topcoin.infra.database.embedded.system_user import SystemUser

# Not TMPDIR or XDG_RUNTIME_DIR: every process must find the same socket whatever its environment says, a runtime
# folder vanishes when its user signs out, and a socket's path may have 107 bytes at most.
_PARENT = Path("/tmp")  # noqa: S108 - the folder below it is made private, and checked, before each use


def socket_folder(data_dir: Path) -> Path:
    """Where the server of a data folder listens; the same for every process, running or not."""
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()
    return _PARENT / f"topcoin-{digest[:16]}"


def prepare_socket_folder(folder: Path, user: SystemUser) -> None:
    """Make the folder, or make sure that the one there is the user's own and closed to others.

    Whoever can write in it can pose as the server, and whoever can enter it can sign in as anybody.

    Raises:
        NotPermitted: something else lies in its place.

    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        user.give(folder)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user.uid or status.st_mode & 0o077:
        raise NotPermitted(f"{folder} is not a private folder of the user {user.name}: remove it, then try again")
