"""Reading lines as they arrive, from a file or a pipe, in bounded memory."""

from collections.abc import Iterator
from typing import Protocol

from topcoin.ledger.journal_files.domain import LINE_BYTES_MAX, SourceLine

LINES_PER_BATCH = 1_024
_BLOCK_BYTES = 1 << 18
_BOM = b"\xef\xbb\xbf"


class ByteStream(Protocol):
    """What is read from: an open binary file, or the standard input."""

    def read1(self, size: int, /) -> bytes:
        """As many bytes as are there now, at least one; none at the end."""
        ...


def read_batches(stream: ByteStream) -> Iterator[list[SourceLine]]:
    """The lines that are not blank, some at a time, as soon as there are any: who writes slowly need not wait."""
    number = 0
    for lines in _whole_lines(stream):
        for start in range(0, len(lines), LINES_PER_BATCH):
            batch: list[SourceLine] = []
            for line in lines[start : start + LINES_PER_BATCH]:
                number += 1
                content = line.removeprefix(_BOM) if number == 1 and line is not None else line
                # The carriage return of CRLF is white space to JSON.
                if content is None or content.strip():
                    batch.append(SourceLine(number, content))
            if batch:
                yield batch


def _whole_lines(stream: ByteStream) -> Iterator[list[bytes | None]]:
    """The lines of each block that was read; None for one that is too long, of which nothing is kept."""
    begun = b""
    is_too_long = False
    while block := stream.read1(_BLOCK_BYTES):
        *ended, begun = (begun + block).split(b"\n")
        lines = [line if len(line) <= LINE_BYTES_MAX else None for line in ended]
        if is_too_long and lines:
            lines[0] = None
            is_too_long = False
        if is_too_long or len(begun) > LINE_BYTES_MAX:
            is_too_long = True
            begun = b""
        yield lines
    if is_too_long:
        yield [None]
    elif begun:
        yield [begun]
