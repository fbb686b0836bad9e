"""`topcoin migrate`: bring the database to the newest revision, or tell which one it is at."""

import json
from typing import Annotated

import typer


def migrate(
    *,
    show: Annotated[bool, typer.Option("--show", help="Tell the revision; change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Migrate the database to the newest revision and give its roles their privileges."""
    # Alembic is slow to import, and the other commands do without it.
    from topcoin.infra.database import migrations  # noqa: PLC0415 - see above
    from topcoin.infra.database.connect import running_database  # noqa: PLC0415 - with it
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - with it

    settings = current_settings()
    with running_database(settings):
        before = migrations.current(settings)
        if not show:
            migrations.upgrade(settings)
        after = migrations.current(settings)
    head = migrations.head()
    if as_json:
        typer.echo(json.dumps({"before": before, "revision": after, "head": head}))
    elif show:
        typer.echo(f"at {after or 'no revision'}; the newest is {head}")
    else:
        typer.echo(f"migrated from {before or 'nothing'} to {after}" if before != after else f"already at {after}")
