"""`topcoin seed`: the demo data, to look around in. As often as one likes; never in production."""

import json
from typing import Annotated

import typer

from topcoin.entrypoints.cli.perform import perform
from topcoin.kernel.errors import Forbidden


class DemoDataRefused(Forbidden):
    """Demo people, whose passwords everybody knows, are not put into production."""

    code = "demo_data_refused"


def seed(*, as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False) -> None:
    """Make the demo data, or what is missing of it: two admins, a customer, a wallet, five markets, three plans."""
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - pydantic is slow to import

    if current_settings().is_production:
        raise DemoDataRefused("demo data have passwords that everybody knows; they are not made in production")
    from topcoin.entrypoints.seed.domain import PEOPLE  # noqa: PLC0415 - with what follows
    from topcoin.entrypoints.seed.service import seed_demo  # noqa: PLC0415 - SQLAlchemy and polars are slow to import

    parts = perform(seed_demo)
    made = [part.name for part in parts if part.is_new]
    if as_json:
        typer.echo(json.dumps({"made": made, "kept": [part.name for part in parts if not part.is_new]}))
        return
    typer.echo(f"made: {', '.join(made)}" if made else "the demo data are there already; nothing was changed")
    for person in PEOPLE:
        typer.echo(f"sign in as {person.email} with {person.password}")
