"""Exporting the books: one snapshot, streamed, in constant memory."""

from dataclasses import dataclass
from typing import TextIO

from topcoin.infra.database.unit_of_work import ReadSession
from topcoin.ledger.export import beancount
from topcoin.ledger.export.domain import ExportFormat
from topcoin.ledger.export.records import csv_writer, jsonl_writer
from topcoin.ledger.export.repository import (
    EntryRow,
    read_closing,
    stream_accounts,
    stream_entries,
    stream_wallets,
)


@dataclass(slots=True)
class ExportSummary:
    """How much was written."""

    journals: int = 0
    entries: int = 0


async def export_ledger(session: ReadSession, export_format: ExportFormat, out: TextIO) -> ExportSummary:
    """Write all entries, account by account; as Beancount also every account with its balances asserted."""
    if export_format is ExportFormat.BEANCOUNT:
        return await _export_beancount(session, out)
    write = csv_writer(out) if export_format is ExportFormat.CSV else jsonl_writer(out)
    summary = ExportSummary()
    async for entry in stream_entries(session):
        write(entry)
        summary.entries += 1
        summary.journals += entry.line_no == "1"
    return summary


async def _export_beancount(session: ReadSession, out: TextIO) -> ExportSummary:
    """The balances asserted are those that the rows of accounts, wallets and house funds say, not sums of entries."""
    closing = await read_closing(session)
    out.write(beancount.render_head(closing))
    async for wallet in stream_wallets(session):
        out.write(beancount.render_wallet(wallet, closing))
    async for account in stream_accounts(session):
        out.write(beancount.render_account(account, closing))
    summary = await _write_journals(session, out)
    out.write(beancount.render_closing(closing))
    return summary


async def _write_journals(session: ReadSession, out: TextIO) -> ExportSummary:
    """Entries by their journals, whose lines follow each other in the chain of their account."""
    summary = ExportSummary()
    journal: list[EntryRow] = []
    async for entry in stream_entries(session):
        if journal and entry.line_no == "1":
            out.write(beancount.render_journal(journal))
            journal.clear()
        summary.entries += 1
        summary.journals += entry.line_no == "1"
        journal.append(entry)
    if journal:
        out.write(beancount.render_journal(journal))
    return summary
