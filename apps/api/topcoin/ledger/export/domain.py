"""The formats of an export. Apart from what writes them, so that the command line imports it quickly."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """What to write the books as."""

    BEANCOUNT = "beancount"
    CSV = "csv"
    JSONL = "jsonl"
