"""`topcoin openapi`: print the API's description."""

import json

import typer


def openapi() -> None:
    """Print the API's description (OpenAPI, JSON)."""
    # The web framework is slow to import, and the other commands do without it.
    from topcoin.entrypoints.http.app import create_app  # noqa: PLC0415 - see above
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - with it

    typer.echo(json.dumps(create_app(current_settings()).openapi(), indent=2))
