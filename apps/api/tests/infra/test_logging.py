"""Logs: one JSON object a line, with the request's id, and without what is secret."""

import json
import logging
from collections.abc import Generator

import pytest
import structlog

from topcoin.infra.logging import REDACTED, configure_logging

SECRET = "s3cr3t"  # noqa: S105 - of the tests' own


@pytest.fixture(autouse=True)
def left_as_it_was() -> Generator[None]:
    """The configuration is the whole process's."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The lines of the log."""
    output = capsys.readouterr()
    assert output.out == ""
    return [json.loads(line) for line in output.err.splitlines()]


def test_ours_and_libraries_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(as_json=True)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("ours").info("posted", journals=2)
        logging.getLogger("theirs").warning("slow: %s", 3)
    ours, theirs = logged(capsys)
    assert (ours["event"], ours["journals"], ours["level"], ours["request_id"]) == ("posted", 2, "info", "r1")
    assert (theirs["event"], theirs["logger"], theirs["request_id"]) == ("slow: 3", "theirs", "r1")
    assert str(ours["timestamp"]).endswith("Z")


def test_what_is_named_like_a_secret_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(as_json=True)
    fields = ("password", "new_password", "token", "Authorization", "cookie", "api_key", "csrf_token", "secret_key")
    structlog.get_logger().info("seen", api_key_id="k1", **dict.fromkeys(fields, SECRET))
    (line,) = logged(capsys)
    assert {line[name] for name in fields} == {REDACTED}
    assert line["api_key_id"] == "k1"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_tells_where_and_not_with_what(
    capsys: pytest.CaptureFixture[str],
    as_json: bool,  # noqa: FBT001 - both kinds of logs
) -> None:
    configure_logging(as_json=as_json)

    def fail(credential: str) -> None:
        assert credential
        raise ZeroDivisionError

    try:
        fail(SECRET.upper())
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
    written = capsys.readouterr().err
    assert "ZeroDivisionError" in written
    assert "fail" in written
    assert SECRET.upper() not in written
