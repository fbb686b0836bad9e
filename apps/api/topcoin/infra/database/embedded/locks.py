"""File locks (flock). The kernel drops them with the process that holds them, so that a killed one leaves no trap.

Three lock files lie beside the cluster:

- `postgres.lock`, exclusive: whoever starts or stops the server;
- `postgres.users`, shared: whoever works with the server; the last one out stops it;
- `postgres.alive`, exclusive: handed down to the server's processes, and to those that prepare its folder. It is
  free when all of them have ended, whoever started them, and whatever process ids say.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """One open lock file; locks belong to it, not to the process, so that threads may each have their own."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it if need be.

        Raises:
            OSError: the file cannot be opened.

        """
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def try_exclusive(self) -> bool:
        """Take the lock alone, if nobody else holds it in any way."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take the lock together with others, if nobody holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def share(self) -> None:
        """Take the lock together with others, waiting while somebody holds it alone."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def wait_exclusive(self) -> None:
        """Take the lock alone, waiting until it is free."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give the lock up, also on behalf of child processes that inherited it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; the lock stays with child processes that inherited it."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _try(self, operation: int) -> bool:
        try:
            fcntl.flock(self.descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Hold a lock file alone for the length of a block, waiting until it is free."""
    with FileLock(path) as lock:
        lock.wait_exclusive()
        yield


def is_held(path: Path) -> bool:
    """Whether anybody holds a lock file alone; nothing is made, and other observers are not disturbed."""
    if not path.exists():
        return False
    with FileLock(path) as lock:
        return not lock.try_shared()
