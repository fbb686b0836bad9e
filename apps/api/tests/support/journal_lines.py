"""Journals as a file has them, and the commands that post and export them, run as a user types them."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from typer.testing import CliRunner

from topcoin.entrypoints.cli.main import app
from topcoin.kernel.ids import new_id

HOUSE = UUID("00000000-0000-7000-8000-000000000001")

JsonObject = dict[str, Any]
Move = tuple[str, str, str]
"""Book, contra, amount."""


def journal(account_id: UUID | str, entry_type: str, reference_type: str, *moves: Move, **fields: Any) -> JsonObject:  # noqa: ANN401 - JSON
    """A journal of the given moves; `fields` replace or add what is named."""
    return {
        "journal_id": str(new_id()),
        "account_id": str(account_id),
        "entry_type": entry_type,
        "description": f"A {entry_type}",
        "reference": {"type": reference_type, "id": str(new_id())},
        "lines": [{"book": book, "contra": contra, "amount": amount} for book, contra, amount in moves],
        **fields,
    }


def deposit(account_id: UUID | str, amount: str = "100", **fields: Any) -> JsonObject:  # noqa: ANN401 - JSON
    """A deposit and its virtual credit."""
    moves = (("deposited", "custody", amount), ("virtual", "virtual_credit", amount))
    return journal(account_id, "deposit", "deposit", *moves, **fields)


def as_file(*lines: JsonObject | str) -> bytes:
    """Lines as a file has them: objects as JSON, text as it is."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    return "".join(f"{text}\n" for text in texts).encode()


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit status."""

    status: int
    out_bytes: bytes
    err: str

    @property
    def out(self) -> str:
        """The output as text."""
        return self.out_bytes.decode()

    @property
    def lines(self) -> list[JsonObject]:
        """The output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def topcoin(*arguments: str, stdin: bytes = b"") -> Outcome:
    """Run a command in this process."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout_bytes, result.stderr)


def post(*lines: JsonObject | str) -> list[JsonObject]:
    """Post lines and return the results."""
    return topcoin("ledger", "post", "-", stdin=as_file(*lines)).lines


def new_account(email: str = "ada@example.com") -> str:
    """The id of a new customer's account."""
    return topcoin("users", "create", "--email", email, "--name", "Ada", "--json").lines[0]["account_id"]
