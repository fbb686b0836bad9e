"""Running PostgreSQL's programs: as the server's user, with a bare environment, and holding the lock of the living."""

import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from topcoin.infra.database.embedded.errors import DiskFull, ServerFailed
from topcoin.infra.database.embedded.installation import Installation
from topcoin.infra.database.embedded.locks import FileLock
from topcoin.infra.database.embedded.system_user import SystemUser

NO_ROOM = "No space left on device"


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs, as one user runs them.

    `alive` is inherited by every process: as long as one of them lives, the lock is taken.
    """

    installation: Installation
    user: SystemUser
    alive: FileLock

    def run(self, name: str, *arguments: str, stdin: str = "") -> None:
        """Run a program to its end.

        Raises:
            DiskFull: it found no room.
            ServerFailed: it failed otherwise.

        """
        done = subprocess.run(  # noqa: S603 - our own programs, with our own arguments
            [self.installation.program(name), *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            pass_fds=(self.alive.descriptor,),
            umask=0o077,
            **self.user.identity(),
        )
        if done.returncode == 0:
            return
        if NO_ROOM in done.stdout:
            raise DiskFull("no space is left to make the database: make room, then try again")
        raise ServerFailed(f"PostgreSQL's {name} failed (status {done.returncode}):\n{done.stdout.strip()}")

    def launch(self, *arguments: str, log: Path) -> int:
        """Start the server as a process of its own session, which outlives us; the result is its process id."""
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own program, with our own arguments
                [self.installation.program("postgres"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                pass_fds=(self.alive.descriptor,),
                start_new_session=True,
                umask=0o077,
                **self.user.identity(),
            )
        finally:
            os.close(descriptor)
        # Somebody must take note of its end while we live: an unburied process counts as alive by its id.
        threading.Thread(target=process.wait, name="postgres-reaper", daemon=True).start()
        return process.pid


def request_fast_shutdown(installation: Installation, user: SystemUser, place: Path) -> bool:
    """Ask the server of a cluster to end its sessions and stop; the result is whether it was reached.

    The process id comes from a file that the server's user can write: the signal is sent with that user's rights.
    """
    command = [installation.program("pg_ctl"), "stop", "--mode=fast", "--no-wait", f"--pgdata={place}"]
    done = subprocess.run(  # noqa: S603 - our own program, with our own arguments
        command, capture_output=True, check=False, cwd="/", env=_environment(), **user.identity()
    )
    return done.returncode == 0


def _environment() -> dict[str, str]:
    """What the programs see of our environment: nothing secret, nothing that changes their behaviour."""
    passed_on = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**passed_on, "LC_ALL": "C", "TZ": "UTC"}
