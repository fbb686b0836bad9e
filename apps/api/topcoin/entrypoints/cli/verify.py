"""`topcoin verify`: recompute the whole ledger and the audit trail, and say what does not add up."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topcoin.ledger.checking.domain import Problem
    from topcoin.ledger.checking.repository import Connection


def verify(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Recompute every number, hash and balance of the ledger; exit with 1 if anything differs."""
    # What these import is slow, and the other commands do without it.
    from topcoin.infra.database.connect import Role, database_url, running_database  # noqa: PLC0415 - see above
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - with it
    from topcoin.ledger.checking.service import verify as verify_ledger  # noqa: PLC0415 - with it

    settings = current_settings()
    with running_database(settings):
        report = verify_ledger(database_url(settings, Role.READ), further_checks=[_audit_problems])
    if as_json:
        found = {
            "ok": report.ok,
            "accounts": report.accounts,
            "entries": report.entries,
            "problems": [dataclasses.asdict(problem) for problem in report.problems],
            "further_problems": report.further_problems,
        }
        typer.echo(json.dumps(found, default=str))
    else:
        for problem in report.problems:
            typer.echo(_sentence(problem))
        if report.further_problems:
            typer.echo(f"… and {report.further_problems} more")
        verdict = "everything adds up" if report.ok else "THE BOOKS DO NOT ADD UP"
        typer.echo(f"{report.accounts} accounts, {report.entries} entries: {verdict}")
    if not report.ok:
        raise typer.Exit(1)


def _audit_problems(connection: "Connection") -> "Iterator[Problem]":
    """What the audit trail's own check finds, told as the ledger tells its problems."""
    from topcoin.audit.checking.service import find_problems  # noqa: PLC0415 - imported with the ledger's
    from topcoin.ledger.checking.domain import Problem  # noqa: PLC0415 - likewise

    for found in find_problems(connection):
        yield Problem(found.invariant, found.detail, user_id=found.user_id, sequence=found.sequence)


def _sentence(problem: "Problem") -> str:
    user = problem.user_id if problem.account_id is None else None
    place = ", ".join(
        f"{name} {value}"
        for name, value in (("user", user), ("account", problem.account_id), ("entry", problem.sequence))
        if value is not None
    )
    return f"{problem.invariant}: {place + ': ' if place else ''}{problem.detail}"
