"""Writing a file so that it is there as a whole or not at all."""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

from topcoin.ledger.export.errors import FileUnwritable

STANDARD_OUTPUT: Final = Path("-")


@contextmanager
def whole_text_file(path: Path) -> Generator[TextIO]:
    """A UTF-8 file to write, which takes its name when the block has ended well, and is gone if it has not.

    `-` is the standard output; a device or a pipe is written as it stands. A new file is its owner's alone to read.
    Raises FileUnwritable.
    """
    if path == STANDARD_OUTPUT:
        out = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield out
        finally:
            out.detach()
        return
    try:
        target = path.resolve()
        if target.is_dir():
            raise FileUnwritable(f"{path} is a folder; name a file in it")
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8", newline="") as out:
                yield out
        else:
            with _renamed_at_the_end(target) as out:
                yield out
    except OSError as error:
        raise FileUnwritable(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def _renamed_at_the_end(target: Path) -> Generator[TextIO]:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123 - a descriptor
            yield out
            out.flush()
            os.fsync(descriptor)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the file's name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
