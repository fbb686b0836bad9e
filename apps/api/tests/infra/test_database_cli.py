"""`topcoin database`, and how any command's failure reaches people and programs."""

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

import topcoin
from topcoin.entrypoints.cli.main import app
from topcoin.infra.database.connect import DATABASE, Role
from topcoin.infra.database.embedded import EmbeddedServer
from topcoin.infra.settings import current_settings

from .conftest import StartUser, await_in

URLS = ("TOPCOIN_DATABASE_URL", "TOPCOIN_MIGRATION_DATABASE_URL", "TOPCOIN_READ_DATABASE_URL")
SLOW = ("sqlalchemy", "alembic", "psycopg", "pydantic", "polars", "numpy")

cli = CliRunner()


@pytest.fixture(autouse=True)
def environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """An environment that names the test's data folder and no outside database."""
    monkeypatch.setenv("TOPCOIN_DATA_DIR", str(data_dir))
    for name in URLS:
        monkeypatch.delenv(name, raising=False)
    current_settings.cache_clear()
    yield
    current_settings.cache_clear()


def test_start_status_url_stop(server: EmbeddedServer) -> None:
    started = cli.invoke(app, ["database", "start"])
    assert (started.exit_code, server.status().pinned) == (0, True)
    assert server.url("topcoin_app") in started.output
    status = cli.invoke(app, ["database", "status"])
    assert status.exit_code == 0
    assert f"running, process {server.status().process_id}, kept running" in status.output
    for role in Role:
        url = cli.invoke(app, ["database", "url", "--role", role]).output.strip()
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT current_user::text, current_database()::text").fetchone()
        assert found == (f"topcoin_{role}", DATABASE)
    stopped = cli.invoke(app, ["database", "stop"])
    assert (stopped.exit_code, stopped.output.strip()) == (0, "stopped")
    assert cli.invoke(app, ["database", "stop"]).output.strip() == "not running"
    assert cli.invoke(app, ["database", "status"]).exit_code == 3


def test_answers_for_programs(server: EmbeddedServer) -> None:
    started = json.loads(cli.invoke(app, ["database", "start", "--json"]).stdout)
    assert (started["running"], started["pinned"], started["process_id"]) == (True, True, server.status().process_id)
    assert json.loads(cli.invoke(app, ["database", "status", "--json"]).stdout) == started
    url = json.loads(cli.invoke(app, ["database", "url", "--role", "read", "--json"]).stdout)
    assert url == {"role": "read", "url": server.url("topcoin_read")}
    assert json.loads(cli.invoke(app, ["database", "stop", "--json"]).stdout) == {"stopped": True}


def test_stop_during_use_is_an_error_unless_forced(server: EmbeddedServer, start_user: StartUser) -> None:
    user = start_user()
    await_in(user)
    refused = cli.invoke(app, ["database", "stop"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: other commands work with the database")
    assert refused.stderr.endswith("[database_in_use]\n")
    assert cli.invoke(app, ["database", "stop", "--force"]).exit_code == 0
    assert not server.status().running


def test_failure_for_programs_is_json_where_they_read(server: EmbeddedServer) -> None:
    server.cluster.mkdir(parents=True)
    (server.cluster / "notes.txt").touch()
    failed = cli.invoke(app, ["database", "start", "--json"])
    assert (failed.exit_code, failed.stderr) == (1, "")
    error = json.loads(failed.stdout)["error"]
    assert error["code"] == "database_incomplete"
    assert str(server.cluster) in error["detail"]


def test_wrong_environment_is_explained_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPCOIN_ENV", "paradise")
    failed = cli.invoke(app, ["database", "url"])
    assert failed.exit_code == 1
    assert "TOPCOIN_ENV" in failed.stderr
    assert failed.stderr.endswith("[invalid_settings]\n")


def test_outside_database_is_neither_started_nor_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in URLS:
        monkeypatch.setenv(name, "postgresql://me@/books?host=/nonexistent")
    for command in ("start", "stop"):
        refused = cli.invoke(app, ["database", command])
        assert (refused.exit_code, "[database_not_embedded]" in refused.stderr) == (1, True)
    assert "[database_unreachable]" in cli.invoke(app, ["database", "status"]).stderr
    assert cli.invoke(app, ["database", "url"]).output.strip() == "postgresql://me@/books?host=/nonexistent"


def test_outside_database_that_answers_has_a_status(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.in_use():
        for name in URLS:
            monkeypatch.setenv(name, server.url("topcoin_app"))
        assert cli.invoke(app, ["database", "status"]).output.strip() == "running, outside"
        answer = cli.invoke(app, ["database", "status", "--json"]).stdout
    assert json.loads(answer) == {"running": True, "embedded": False}


def test_commands_import_nothing_slow_before_they_run() -> None:
    program = f"import sys, topcoin.entrypoints.cli.main; print([m for m in {SLOW!r} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603 - this Python, and our own program
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(topcoin.__file__).parents[1],
    )
    assert done.stdout.strip() == "[]"
