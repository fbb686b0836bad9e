"""`topcoin`: all commands under one roof, and the one place where an error becomes a message and an exit status.

A command reads the settings, and imports what is slow to import, inside its function: `topcoin --help` stays fast, and
works where the environment is not in order yet. It raises a `TopCoinError` and leaves the rest to us. A command with an
option `--json` prints one JSON document; its errors then are one too.
"""

import json
from typing import Any

import typer
from typer.core import TyperGroup

from topcoin.entrypoints.cli import (
    candles,
    database,
    dev,
    instruments,
    ledger,
    migrate,
    openapi,
    seed,
    serve,
    users,
    verify,
)
from topcoin.kernel.errors import TopCoinError, Unavailable

_AS_JSON = "topcoin.as_json"


class _Commands(TyperGroup):
    """The root of all commands, which explains the failures of any of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer keeps its context's base type private
        """Note, before the command itself is known, whether a program will read the answer."""
        ctx.meta[_AS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - likewise
        """Run the command; a failure that TopCoin foresaw ends with status 1."""
        try:
            return super().invoke(ctx)
        except TopCoinError as error:
            report(error, as_json=ctx.meta[_AS_JSON])
            raise typer.Exit(1) from error
        except Exception as error:
            if not _lacks_schema(error):
                raise
            missing = DatabaseNotMigrated("the database is not at this version's schema; run: topcoin migrate")
            report(missing, as_json=ctx.meta[_AS_JSON])
            raise typer.Exit(1) from error


class DatabaseNotMigrated(Unavailable):
    """A table, column or function that this version needs is not there."""

    code = "database_not_migrated"


def _lacks_schema(error: Exception) -> bool:
    """Whether PostgreSQL knew no such table, column or function: read off the SQLSTATE, so that nothing is imported."""
    cause = getattr(error, "orig", error)
    return getattr(cause, "sqlstate", None) in ("42P01", "42703", "42883")


def report(error: TopCoinError, *, as_json: bool) -> None:
    """Say what failed: to people on the error output, to programs where they read."""
    if as_json:
        typer.echo(json.dumps({"error": {"code": error.code, "detail": error.detail}}))
    else:
        typer.echo(f"error: {error.detail} [{error.code}]", err=True)


app = typer.Typer(
    cls=_Commands,
    help="TopCoin: a simulated-trading programme on real deposits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

# -- The areas, one line each; a module must be quick to import ------------------------------------------------------

app.add_typer(database.app, name="database")
app.add_typer(candles.app, name="candles")
app.add_typer(instruments.app, name="instruments")
app.add_typer(ledger.app, name="ledger")
app.add_typer(users.app, name="users")
app.command()(dev.dev)
app.command()(migrate.migrate)
app.command()(openapi.openapi)
app.command()(seed.seed)
app.command()(serve.serve)
app.command()(verify.verify)
