"""Starting, watching and stopping the services of a development installation.

A signal never interrupts a step: it is noted, and heeded when the step is over. A second one ends what is slow.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

from topcoin.entrypoints.dev.errors import AlreadyRunning
from topcoin.entrypoints.dev.services import STOP_SECONDS, Service, ServiceProcess
from topcoin.infra.database.embedded.errors import explaining_os_errors
from topcoin.infra.database.embedded.locks import FileLock

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_SECONDS: Final = 0.1

Tell = Callable[[str], None]


class StopRequested(Exception):
    """Somebody asked for the end before everything had started."""


class StopSignals:
    """Notes SIGINT, SIGTERM and SIGHUP for the length of a block, in place of what they do otherwise."""

    def __init__(self) -> None:
        self.count = 0
        self._came = threading.Event()
        self._before: dict[int, signal.Handlers | int | Callable[[int, FrameType | None], object] | None] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self) -> bool:
        """Wait a moment, or until a signal comes; whether any has come so far."""
        return self._came.wait(_LOOK_SECONDS)

    def check(self) -> None:
        """Raise StopRequested where a signal has come."""
        if self.count:
            raise StopRequested

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - Python's signature
        self.count += 1
        self._came.set()


@contextmanager
def only_one(data_dir: Path) -> Generator[None]:
    """Hold the data folder for one `topcoin dev` alone. Raises AlreadyRunning, or an error of the folder's."""
    with explaining_os_errors(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(data_dir / "dev.lock")
    with lock:
        if not lock.try_exclusive():
            process = os.pread(lock.descriptor, 32, 0).decode(errors="replace").strip() or "starting"
            raise AlreadyRunning(
                f"`topcoin dev` runs already on {data_dir} (process {process}): use it, stop it, or set "
                "TOPCOIN_DATA_DIR and --port for a second one"
            )
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, str(os.getpid()).encode(), 0)
        yield
        os.ftruncate(lock.descriptor, 0)


class Supervisor:
    """Starts services one after the other, watches them, and stops them in the opposite order."""

    def __init__(self, signals: StopSignals, log_dir: Path, tell: Tell) -> None:
        self._signals = signals
        self._log_dir = log_dir
        self._tell = tell
        self._running: list[ServiceProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            for process in self._running:
                stack.callback(self._stop, process)

    def start(self, service: Service) -> str:
        """Start a service, wait until it is ready, and return where it is reached.

        Raises ServiceRefused, ServiceFailed, and StopRequested where a signal comes first.
        """
        with explaining_os_errors(self._log_dir):
            self._log_dir.mkdir(parents=True, exist_ok=True)
            process = ServiceProcess(service, self._log_dir)
        self._running.append(process)
        while (answer := process.answer()) is None:
            self._signals.wait()
            self._signals.check()
        return str(answer["url"])

    def watch(self) -> None:
        """Return when somebody asks for the end. Raises ServiceFailed where a service ends by itself."""
        while not self._signals.wait():
            for process in self._running:
                if process.has_ended:
                    raise process.failure()

    def _stop(self, process: ServiceProcess) -> None:
        """Ask a service to stop, and end it if it does not, or if somebody asks once more."""
        if process.has_ended:
            return
        asked, patience = self._signals.count, time.monotonic() + STOP_SECONDS
        process.ask_to_stop()
        while not process.has_ended:
            if time.monotonic() > patience or self._signals.count > max(asked, 1):
                process.kill()
                self._tell(f"{process.service.name} did not stop in time and was ended")
                return
            time.sleep(_LOOK_SECONDS / 2)
        self._tell(f"{process.service.name} has stopped")
