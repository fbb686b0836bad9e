"""Embedded servers of a test's own: a data folder that their user can reach, and processes that use them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

import topcoin
from topcoin.infra.database.embedded import EmbeddedServer

USER = """
import sys
from pathlib import Path
from topcoin.infra.database.embedded import EmbeddedServer

with EmbeddedServer(Path(sys.argv[1]), {"fsync": "off"}).in_use():
    print("in", flush=True)
    sys.stdin.readline()
"""

StartUser = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def data_dir() -> Generator[Path]:
    """A data folder that does not exist yet; its server, if any is left, is stopped afterwards."""
    # pytest's own temporary folders are closed to the user that the server runs as if we are root.
    parent = Path(tempfile.mkdtemp(prefix="topcoin-test-"))
    parent.chmod(0o711)
    yield parent / "data"
    EmbeddedServer(parent / "data").destroy()
    shutil.rmtree(parent)


@pytest.fixture
def server(data_dir: Path) -> EmbeddedServer:
    """The server of the data folder; not the one that other tests share."""
    return EmbeddedServer(data_dir, {"fsync": "off"})


@pytest.fixture
def start_user(data_dir: Path) -> Generator[StartUser]:
    """Starts processes that use the server of the data folder: they say `in`, and leave when told a line."""
    with ExitStack() as stack:

        def start() -> "subprocess.Popen[str]":
            process = subprocess.Popen(  # noqa: S603 - this Python, and our own program
                [sys.executable, "-c", USER, str(data_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(topcoin.__file__).parents[1],
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def await_in(process: "subprocess.Popen[str]") -> None:
    """Wait until a process uses the server."""
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
