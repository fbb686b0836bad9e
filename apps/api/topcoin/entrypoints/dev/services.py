"""The services of a development installation: what is started, in this order, and how one of them is one process.

A service is a command of ours that prints one line of JSON on its standard output when it is ready: `{"url": …}`, or
`{"error": {"code", "detail"}}` if it cannot be. Its log goes to a file. To add one, add it to `services`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from topcoin.entrypoints.dev.errors import ServiceFailed, ServiceRefused

STOP_SECONDS: Final = 40
"""How long a service may take to finish what it has begun: a little more than the API gives its requests."""

_TOPCOIN: Final = (sys.executable, "-P", "-c", "from topcoin.entrypoints.cli.main import app; app()")
_TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 16_384
_SET_PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


@dataclass(frozen=True, slots=True)
class Service:
    """A part of the installation that runs as a process of its own."""

    name: str
    arguments: tuple[str, ...]
    """Of `topcoin`."""


def services(host: str, port: int) -> Sequence[Service]:
    """All services, in the order in which they start; they stop in the opposite one."""
    return (Service("api", ("serve", "--host", host, "--port", str(port), "--json")),)


class ServiceProcess:
    """A running service."""

    def __init__(self, service: Service, log_dir: Path) -> None:
        """Start it. It does not hear the terminal's Ctrl-C, so that it stops when its turn comes."""
        self.service = service
        self.log = log_dir / f"{service.name}.log"
        self._answer = log_dir / f"{service.name}.ready"
        with self._answer.open("wb") as answer, self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and our own program
                [*_TOPCOIN, *service.arguments],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - we have no threads, and it makes one system call
            )

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.poll() is not None

    def answer(self) -> dict[str, Any] | None:
        """What it has announced; None as long as it has not. Raises ServiceRefused, ServiceFailed."""
        has_ended = self.has_ended
        line, end, _ = self._answer.read_bytes().partition(b"\n")
        if end:
            said: dict[str, Any] = json.loads(line)
            if "error" in said:
                self._process.wait()
                raise ServiceRefused(f"{self.service.name}: {said['error']['detail']}")
            return said
        if has_ended:
            raise self.failure()
        return None

    def failure(self) -> ServiceFailed:
        """What to say of a service that has ended by itself: the end of its log."""
        status = self._process.wait()
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        return ServiceFailed(
            f"{self.service.name} ended by itself ({how}); the end of its log, {self.log}:\n{self._tail()}"
        )

    def ask_to_stop(self) -> None:
        """Let it finish what it has begun, and end."""
        if not self.has_ended:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _tail(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:]) or "  (it is empty)"


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does first: on Linux, ask to be stopped when we are killed and can stop nothing ourselves."""
    if sys.platform != "linux":
        return None
    from ctypes import CDLL  # noqa: PLC0415 - where there is something to call

    set_option = CDLL(None).prctl
    parent = os.getpid()

    def end_with_parent() -> None:
        set_option(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return end_with_parent
