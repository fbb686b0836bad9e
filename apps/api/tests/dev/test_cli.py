"""`topcoin dev` as a process of its own: it starts everything, stops it, and says what is in its way."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from topcoin.infra.database.embedded import EmbeddedServer

pytestmark = [pytest.mark.enable_socket, pytest.mark.xdist_group("topcoin dev")]

TOPCOIN = "from topcoin.entrypoints.cli.main import app; app()"


@dataclass(frozen=True)
class Dev:
    """A `topcoin dev` that is running."""

    process: "subprocess.Popen[str]"
    data_dir: Path

    def until_ready(self) -> dict[str, list[str]]:
        """What it prints until it is ready, by the word before the colon."""
        assert self.process.stdout is not None
        said: dict[str, list[str]] = {}
        for line in self.process.stdout:
            if line == "ready\n":
                return said
            name, colon, rest = line.strip().partition(": ")
            if colon:
                said.setdefault(name, []).append(rest)
        pytest.fail(f"it ended with status {self.process.wait()}: {self.error()}")

    def error(self) -> str:
        """What it printed on its error output, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def api_process(self) -> int:
        """The id of the API's process."""
        return json.loads((self.data_dir / "log/api.ready").read_text())["process_id"]


StartDev = Callable[..., Dev]


@pytest.fixture
def data_dir() -> Generator[Path]:
    """A data folder that does not exist yet, which the server's own user can reach."""
    parent = Path(tempfile.mkdtemp(prefix="topcoin-dev-"))
    parent.chmod(0o711)
    yield parent / "data"
    EmbeddedServer(parent / "data").destroy()
    shutil.rmtree(parent)


@pytest.fixture
def start(data_dir: Path) -> Generator[StartDev]:
    """Starts `topcoin dev` on the data folder; what is left of it at the end is stopped."""
    with ExitStack() as stack:

        def started(*arguments: str, **environment: str) -> Dev:
            process = subprocess.Popen(  # noqa: S603 - this Python, and our own program
                [sys.executable, "-P", "-c", TOPCOIN, "dev", *(arguments or ("--port", "0"))],
                env={**os.environ, "TOPCOIN_DATA_DIR": str(data_dir), **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
            return Dev(process, data_dir)

        yield started


def is_alive(process_id: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_starts_everything_and_stops_everything(start: StartDev, data_dir: Path) -> None:
    """And a second one on the same folder is refused meanwhile, but not afterwards."""
    dev = start()
    said = dev.until_ready()
    (url,) = said["api"]
    about = httpx.get(url)
    assert about.json()["notice"] == "TEST — SEND NO MONEY"
    assert about.headers["X-TopCoin-Environment"] == "test"
    assert httpx.get(f"{url}/readyz").status_code == 200
    email, password = next(line.split() for line in said["sign-in"] if line.startswith("demo@"))
    with httpx.Client(base_url=f"{url}/api/v1/") as client:
        assert client.post("auth/login", json={"email": email, "password": password}).status_code == 200
        (account,) = client.get("accounts").json()["items"]
    assert (account["real"]["deposited"], account["simulated"]["balance"]) == ("500.00000000", "10000.00000000")

    second = start()
    assert second.process.wait() == 1
    assert f"(process {dev.process.pid})" in (said_second := second.error())
    assert "[dev_already_running]" in said_second

    api = dev.api_process()
    dev.process.send_signal(signal.SIGINT)
    assert dev.process.wait() == 0
    assert not is_alive(api)
    assert not EmbeddedServer(data_dir).status().running

    again = start()
    again.until_ready()
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait() == 0


def test_a_service_that_ends_by_itself_is_told_and_ends_all(start: StartDev, data_dir: Path) -> None:
    dev = start()
    dev.until_ready()
    os.kill(dev.api_process(), signal.SIGKILL)
    assert dev.process.wait() == 1
    said = dev.error()
    assert "api ended by itself (SIGKILL)" in said
    assert str(data_dir / "log/api.log") in said
    assert not EmbeddedServer(data_dir).status().running


def test_a_taken_port_is_told_before_anything_is_made(start: StartDev, data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        dev = start("--port", str(port))
        assert dev.process.wait() == 1
    said = dev.error()
    assert f"port {port} of 127.0.0.1 is taken" in said
    assert "[port_taken]" in said
    assert not (data_dir / "postgres").exists()


def test_a_broken_data_folder_is_told(start: StartDev, data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres/notes.txt").touch()
    dev = start()
    assert dev.process.wait() == 1
    assert "[database_incomplete]" in dev.error()


def test_a_data_folder_that_is_a_file_is_told(start: StartDev, data_dir: Path) -> None:
    data_dir.touch()
    dev = start()
    assert dev.process.wait() == 1
    assert "[database_folder_unusable]" in dev.error()
    data_dir.unlink()


def test_production_is_refused(start: StartDev) -> None:
    urls = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "READ_DATABASE_URL")
    outside = {f"TOPCOIN_{name}": f"postgresql://{name.lower()}@/books?host=/nonexistent" for name in urls}
    settings = {"TOPCOIN_ENV": "production", "TOPCOIN_SECRET_KEY": "pZ1xV9qLw3Rk7TtYb5Nn8Mm2Cc4Ff6Hh0Jj"}
    dev = start(**settings, **outside)
    assert dev.process.wait() == 1
    assert "[dev_refused]" in dev.error()
