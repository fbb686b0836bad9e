"""Entries as records, one a line, every column: CSV by RFC 4180, or JSON lines.

A value is the text of its canonical form, so that the hash chain can be recomputed from the file alone.
"""

import csv
import json
from collections.abc import Callable
from typing import Final, TextIO

from topcoin.ledger.chain.domain import canonical_stored_metadata
from topcoin.ledger.export.repository import EntryRow

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

WriteEntry = Callable[[EntryRow], None]


def csv_writer(out: TextIO) -> WriteEntry:
    """Writes the names of the columns, then entries; an absent value is an empty field."""
    writer = csv.writer(out)
    writer.writerow(EntryRow._fields)

    def write(entry: EntryRow) -> None:
        writer.writerow(_canonical(entry))

    return write


def jsonl_writer(out: TextIO) -> WriteEntry:
    """Writes entries as objects; an absent value is null."""

    def write(entry: EntryRow) -> None:
        out.write(_encode(dict(zip(EntryRow._fields, _canonical(entry), strict=True))) + "\n")

    return write


def _canonical(entry: EntryRow) -> EntryRow:
    return entry if entry.metadata == "{}" else entry._replace(metadata=canonical_stored_metadata(entry.metadata))
