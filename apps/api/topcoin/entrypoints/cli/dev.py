"""`topcoin dev`: a whole installation to work with, from one command until Ctrl-C.

What programs read on the standard output stands on lines of its own, from the first column on: `api: URL` and one such
line for each further service; `documentation: URL`; `sign-in: EMAIL PASSWORD`. The last of them is `ready`.
"""

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from topcoin.entrypoints.dev.supervisor import StopSignals
    from topcoin.infra.settings import Settings


def dev(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen; TOPCOIN_HTTP_HOST by default.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="TOPCOIN_HTTP_PORT by default; 0 for any that is free.")
    ] = None,
) -> None:
    """Run everything for development until Ctrl-C: database, demo data, API. Never in production."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    from topcoin.entrypoints.cli.serve import listen  # noqa: PLC0415 - with what follows
    from topcoin.entrypoints.dev.errors import DevRefused  # noqa: PLC0415 - likewise
    from topcoin.entrypoints.dev.supervisor import StopRequested, StopSignals, only_one  # noqa: PLC0415 - likewise
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - pydantic is slow to import

    settings = current_settings()
    if settings.is_production:
        raise DevRefused("`topcoin dev` makes people whose passwords everybody knows; production runs `topcoin serve`")
    console = Console(soft_wrap=True, highlight=False, markup=False)
    at = settings.http_host if host is None else host, settings.http_port if port is None else port
    with only_one(settings.data_dir), StopSignals() as signals:
        # Before anything is made: what cannot be served is told at once.
        listen(*at).close()
        try:
            _run(settings, console, signals, at)
        except StopRequested:
            console.print("stopped before everything had started")


def _run(settings: "Settings", console: "Console", signals: "StopSignals", at: tuple[str, int]) -> None:
    from topcoin.entrypoints.dev.services import services  # noqa: PLC0415 - with what follows
    from topcoin.entrypoints.dev.supervisor import Supervisor  # noqa: PLC0415 - likewise
    from topcoin.infra.database.connect import running_database  # noqa: PLC0415 - SQLAlchemy is slow to import

    with ExitStack() as stack:
        with _step(console, signals, "starting the database"):
            stack.enter_context(running_database(settings))
        _prepare(settings, console, signals)
        log_dir = settings.data_dir / "log"
        supervisor = stack.enter_context(Supervisor(signals, log_dir, console.print))
        urls: dict[str, str] = {}
        for service in services(*at):
            with _step(console, signals, f"starting {service.name}"):
                urls[service.name] = supervisor.start(service)
        _announce(console, urls)
        console.print(f"logs in {log_dir}; Ctrl-C stops everything")
        console.print("ready")
        supervisor.watch()
        console.print("stopping")


def _prepare(settings: "Settings", console: "Console", signals: "StopSignals") -> None:
    """Bring the database to this version, with the demo data in it."""
    with _step(console, signals, "migrating"):
        from topcoin.infra.database import migrations  # noqa: PLC0415 - Alembic is slow to import

        migrations.upgrade(settings)
    with _step(console, signals, "making the demo data"):
        from topcoin.entrypoints.cli.perform import perform  # noqa: PLC0415 - with what follows
        from topcoin.entrypoints.seed.service import seed_demo  # noqa: PLC0415 - polars is slow to import

        perform(seed_demo)


@contextmanager
def _step(console: "Console", signals: "StopSignals", name: str) -> Generator[None]:
    """Show that something is being done and, when it is over, how long it took. Raises StopRequested after a signal."""
    began = time.perf_counter()
    with console.status(f"{name} …"):
        yield
    console.print(f"{name:<24} {time.perf_counter() - began:5.1f} s")
    signals.check()


def _announce(console: "Console", urls: dict[str, str]) -> None:
    from topcoin.entrypoints.http.root import TEST_NOTICE  # noqa: PLC0415 - FastAPI is slow to import
    from topcoin.entrypoints.seed.domain import PEOPLE  # noqa: PLC0415 - with it
    from topcoin.http.routing import API_PREFIX  # noqa: PLC0415 - with it

    console.print(f"\n{TEST_NOTICE}\n")
    for name, url in urls.items():
        console.print(f"{name}: {url}")
    console.print(f"documentation: {urls['api']}{API_PREFIX}/docs")
    for person in PEOPLE:
        console.print(f"sign-in: {person.email} {person.password}")
