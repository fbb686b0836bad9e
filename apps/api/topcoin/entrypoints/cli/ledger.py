"""`topcoin ledger`: post journals from a file, export the books."""

import asyncio
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from topcoin.ledger.export.domain import ExportFormat

if TYPE_CHECKING:
    from io import BufferedReader

    from topcoin.infra.settings import Settings
    from topcoin.ledger.export.service import ExportSummary
    from topcoin.ledger.journal_files.domain import LineResult
    from topcoin.ledger.journal_files.reader import ByteStream
    from topcoin.ledger.journal_files.service import PostingSummary

app = typer.Typer(help="Post journals from a file, export the books.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the summary for programs.")]

_STANDARD_STREAM = Path("-")


@app.command()
def post(
    file: Annotated[Path, typer.Argument(help="JSON lines, one journal each; - for the standard input.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Post journals, in order; prints a JSON line for each, as soon as it is durable.

    For development and tests: in production, entries come only from the events that cause them. Ends with status 0 if
    every journal is in the books, posted now or before.
    """
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - pydantic is slow to import
    from topcoin.ledger.journal_files.errors import NotInProduction  # noqa: PLC0415 - with it

    settings = current_settings()
    if settings.is_production:
        raise NotInProduction("journals are not posted from files in production; there, every entry has its event")
    with _opened(file) as stream:
        summary = _post(settings, stream)
    typer.echo(json.dumps(summary.counts) if as_json else _count_words(summary), err=True)
    if not summary.is_clean:
        raise typer.Exit(1)


@app.command()
def export(
    *,
    export_format: Annotated[ExportFormat, typer.Option("--format", help="What to write the books as.")],
    out: Annotated[Path, typer.Option(help="The file to write; - for the standard output.")],
    as_json: AsJson = False,
) -> None:
    """Export all entries; as Beancount also every account, with its balances asserted for `bean-check`."""
    from topcoin.infra.settings import current_settings  # noqa: PLC0415 - pydantic is slow to import

    summary = _export(current_settings(), export_format, out)
    words = (
        json.dumps({"format": export_format, "file": str(out), **asdict(summary)})
        if as_json
        else f"exported {summary.journals} journals, {summary.entries} entries"
    )
    # The standard output is the file's where the file goes there.
    typer.echo(words, err=out == _STANDARD_STREAM or not as_json)


def _post(settings: "Settings", stream: "ByteStream") -> "PostingSummary":
    from topcoin.infra.database.connect import (  # noqa: PLC0415 - SQLAlchemy is slow to import
        Role,
        create_engine_for,
        database_url,
        running_database,
        session_factory,
    )
    from topcoin.infra.memory import relax_garbage_collection  # noqa: PLC0415 - likewise
    from topcoin.ledger.group_commit.service import GroupCommit  # noqa: PLC0415 - likewise
    from topcoin.ledger.journal_files.service import post_journal_file  # noqa: PLC0415 - likewise

    async def connected() -> "PostingSummary":
        engine = create_engine_for(settings, Role.APP)
        try:
            async with GroupCommit(database_url(settings, Role.APP)) as poster:
                return await post_journal_file(stream, session_factory(engine), poster, _print_results)
        finally:
            await engine.dispose()

    relax_garbage_collection()
    with running_database(settings):
        return asyncio.run(connected())


def _export(settings: "Settings", export_format: ExportFormat, out: Path) -> "ExportSummary":
    from topcoin.infra.database.connect import (  # noqa: PLC0415 - SQLAlchemy is slow to import
        Role,
        create_engine_for,
        running_database,
        session_factory,
    )
    from topcoin.infra.database.unit_of_work import read_transaction  # noqa: PLC0415 - likewise
    from topcoin.ledger.export.files import whole_text_file  # noqa: PLC0415 - likewise
    from topcoin.ledger.export.service import export_ledger  # noqa: PLC0415 - likewise

    async def connected() -> "ExportSummary":
        engine = create_engine_for(settings, Role.READ)
        try:
            with whole_text_file(out) as file:
                async with read_transaction(session_factory(engine)) as session:
                    return await export_ledger(session, export_format, file)
        finally:
            await engine.dispose()

    with running_database(settings):
        return asyncio.run(connected())


@contextmanager
def _opened(file: Path) -> "Generator[ByteStream]":
    from topcoin.ledger.journal_files.errors import FileUnreadable  # noqa: PLC0415 - with what posts

    if file == _STANDARD_STREAM:
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise FileUnreadable(f"{file} cannot be read: {error.strerror}; name a file of journals") from None
    with stream:
        yield stream


def _print_results(results: "Sequence[LineResult]") -> None:
    typer.echo("\n".join(result.to_json() for result in results))


def _count_words(summary: "PostingSummary") -> str:
    return ", ".join(f"{count} {status}" for status, count in summary.counts.items())
