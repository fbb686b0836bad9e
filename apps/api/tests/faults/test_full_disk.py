"""The disk is full: nothing that was acknowledged is lost, and work goes on once there is room again (LED-7)."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from faults.books import Books, Place, assert_books_hold, open_books
from faults.servers import engine_for, own_server

from topcoin.infra.database.connect import session_factory
from topcoin.infra.database.unit_of_work import OutcomeUnknown
from topcoin.kernel.ids import new_id
from topcoin.ledger.events.adjustments import balance_adjusted
from topcoin.ledger.group_commit import service as group_commit
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import METADATA_LENGTH_MAX, Journal, PostingStatus

DISK_BYTES = 192 << 20
ROOM_BYTES = 1 << 20
JOURNALS_PER_REQUEST = 20


@contextmanager
def small_disk() -> Generator[Path]:
    """A disk of its own, in memory; to mount it takes root, and leave to mount."""
    folder = Path(tempfile.mkdtemp(prefix="topcoin-disk-"))
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=711", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:  # noqa: S603 - no input but ours
            pytest.skip("mounting a small disk takes root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - likewise
    finally:
        folder.rmdir()


def fill(disk: Path) -> Path:
    """Write a file that leaves little room."""
    filler = disk / "filler"
    room = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - ROOM_BYTES)
    return filler


def bulky(books: Books) -> list[Journal]:
    """Journals that take much room."""
    reason = "x" * (METADATA_LENGTH_MAX - 100)
    account = books.accounts[0]
    return [
        balance_adjusted(account, new_id(), Decimal(1), kind="bonus", reason=reason)
        for _ in range(JOURNALS_PER_REQUEST)
    ]


async def test_full_disk_loses_nothing_that_was_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Posting fails once there is no room, and the same journals are taken, each once, when there is room again."""
    monkeypatch.setattr(group_commit, "_PAUSE_SECONDS", 0)
    with small_disk() as disk, own_server(disk) as server:
        async with engine_for(server.settings) as engine:
            books, journals = await open_books(server.settings, session_factory(engine))
        acknowledged: list[tuple[Journal, list[Place]]] = []
        async with GroupCommit(books.app_url) as group:
            filler = fill(disk)
            while True:
                request = bulky(books)
                try:
                    results = await group.post_grouped(request)
                except OutcomeUnknown:
                    break
                for journal, result in zip(request, results, strict=True):
                    acknowledged.append((journal, [Place.of(entry) for entry in result.unwrap()]))
            filler.unlink()
            server.recover()
            asked = [journal for journal, _ in acknowledged] + request
            results = await group.post_grouped(asked)
        for (_, places), result in zip(acknowledged, results, strict=False):
            assert result.status is PostingStatus.DUPLICATE
            assert [Place.of(entry) for entry in result.entries] == places
        assert "No space left on device" in server.log()
        assert_books_hold(books, [*journals, *asked])
