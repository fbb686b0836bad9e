"""`topcoin serve` and `topcoin openapi` as an operator runs them: they say where, refuse in words, stop cleanly."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings

pytestmark = pytest.mark.enable_socket

URLS = {
    "TOPCOIN_DATABASE_URL": Role.APP,
    "TOPCOIN_MIGRATION_DATABASE_URL": Role.OWNER,
    "TOPCOIN_READ_DATABASE_URL": Role.READ,
}


@contextmanager
def topcoin(database: Settings, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """The command, killed at the end if it still runs."""
    environment = os.environ | {name: database_url(database, role) for name, role in URLS.items()}
    with subprocess.Popen(  # noqa: S603 - our own interpreter, with the test's own words
        [sys.executable, "-c", "from topcoin.entrypoints.cli.main import app; app()", *arguments],
        env=environment | {"TOPCOIN_ENV": "test", "TOPCOIN_DATA_DIR": str(database.data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """What the command prints first, once it does."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_asked_to_stop(database: Settings, sign: signal.Signals) -> None:
    with topcoin(database, "serve", "--port", "0", "--json") as process:
        said = json.loads(first_line(process))
        answer = httpx.get(f"{said['url']}/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        assert "server" not in answer.headers
        assert said["process_id"] == process.pid
        process.send_signal(sign)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_said(database: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with topcoin(database, "serve", "--port", port) as process:
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert f"port {port} of 127.0.0.1 is taken" in errors
    assert "--port" in errors


def test_an_address_of_another_machine_is_said(database: Settings) -> None:
    with topcoin(database, "serve", "--host", "192.0.2.1", "--port", "0", "--json") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(output)["error"]["code"] == "address_unusable"


def test_the_description_is_printed(database: Settings) -> None:
    with topcoin(database, "openapi") as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "/readyz" in json.loads(output)["paths"]
