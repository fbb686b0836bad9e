"""`topcoin database`: start, stop and look at the embedded PostgreSQL, and tell how to reach the database."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from topcoin.infra.database.roles import Role
from topcoin.kernel.errors import Conflict

if TYPE_CHECKING:
    from topcoin.infra.database.embedded import EmbeddedServer
    from topcoin.infra.settings import Settings

app = typer.Typer(help="The embedded PostgreSQL, and how to reach the database.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print for programs.")]

NOT_RUNNING = 3
"""Exit status of `status` where the server is not running, as other tools have it."""


class NotEmbedded(Conflict):
    """The settings name an outside database, which is not ours to start or stop."""

    code = "database_not_embedded"


@app.command()
def start(*, as_json: AsJson = False) -> None:
    """Start the server, if it is not running, and keep it running until `topcoin database stop`."""
    settings, server = _embedded()
    server.start()
    found = server.status()
    if as_json:
        _print_json(asdict(found))
    else:
        typer.echo(f"running (process {found.process_id}): {_url(settings, Role.APP)}")


@app.command()
def stop(
    *,
    force: Annotated[bool, typer.Option("--force", help="Stop now, although commands still work with it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the server. While commands work with it, it stops when the last of them ends; that is an error here."""
    _, server = _embedded()
    stopped = server.stop(force=force)
    if as_json:
        _print_json({"stopped": stopped})
    else:
        typer.echo("stopped" if stopped else "not running")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell whether the server is running (status 0) or not (status 3), and where its things are."""
    settings = _settings()
    if not settings.uses_embedded_database:
        _report_outside(settings, as_json=as_json)
        return
    _, server = _embedded()
    found = server.status()
    if as_json:
        _print_json(asdict(found))
    else:
        running = f"running, process {found.process_id}" if found.running else "not running"
        notes = (("kept running until it is stopped", found.pinned), ("in use", found.in_use))
        typer.echo(", ".join([running, *(note for note, holds in notes if holds)]))
        typer.echo(f"cluster: {found.cluster}")
        typer.echo(f"socket:  {found.socket_folder}")
        typer.echo(f"log:     {found.log}")
    if not found.running:
        raise typer.Exit(NOT_RUNNING)


@app.command()
def url(*, role: Annotated[Role, typer.Option(help="As whom to sign in.")] = Role.APP, as_json: AsJson = False) -> None:
    """Print the database's URL for psql, pg_dump and the like, password included."""
    found = _url(_settings(), role)
    if as_json:
        _print_json({"role": role, "url": found})
    else:
        typer.echo(found)


def _settings() -> "Settings":
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - pydantic is slow to import

    return current_settings()


def _embedded() -> "tuple[Settings, EmbeddedServer]":
    from topcoin.infra.database.connect import embedded_server  # noqa: PLC0415 - SQLAlchemy is slow to import

    settings = _settings()
    if not settings.uses_embedded_database:
        raise NotEmbedded(
            "TOPCOIN_DATABASE_URL names an outside PostgreSQL, which is started and stopped where it runs; unset it to "
            "use the embedded one"
        )
    return settings, embedded_server(settings)


def _report_outside(settings: "Settings", *, as_json: bool) -> None:
    from topcoin.infra.database.connect import running_database  # noqa: PLC0415 - SQLAlchemy is slow to import

    with running_database(settings):
        if as_json:
            _print_json({"running": True, "embedded": False})
        else:
            typer.echo("running, outside")


def _url(settings: "Settings", role: Role) -> str:
    from topcoin.infra.database.connect import database_url  # noqa: PLC0415 - SQLAlchemy is slow to import

    return database_url(settings, role)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, default=str))
