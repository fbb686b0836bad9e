"""Posting the journals of a file, in its order, with reading, preparing and committing under way at the same time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.database.unit_of_work import transaction
from topcoin.kernel.errors import TopCoinError
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts.service import find_owners
from topcoin.ledger.errors import AccountNotFound
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.journal_files.domain import (
    JournalDraft,
    LineResult,
    SourceLine,
    journal_id_in,
    posted_line,
    read_draft,
    read_json,
    refused_line,
)
from topcoin.ledger.journal_files.reader import ByteStream, read_batches
from topcoin.ledger.journal_files.repository import ensure_development_wallet
from topcoin.ledger.posting.domain import Journal, PostingStatus

_REQUESTS_IN_FLIGHT = 6
"""Batches between reading and answering. They wait at the ledger's door together and share its commits."""


@dataclass(slots=True)
class PostingSummary:
    """How many lines of a file came out how."""

    counts: dict[PostingStatus, int] = field(default_factory=lambda: dict.fromkeys(PostingStatus, 0))

    def count(self, results: Sequence[LineResult]) -> None:
        """Take some results into account."""
        for result in results:
            self.counts[result.status] += 1

    @property
    def is_clean(self) -> bool:
        """Whether every journal of the file is in the books."""
        return not self.counts[PostingStatus.REFUSED]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A line whose journal is well formed."""

    number: int
    journal: Journal


_Outcome = _Prepared | LineResult
"""A journal to post, or why the line holds none."""

_Requests = asyncio.Queue[asyncio.Task[list[LineResult]] | None]


async def post_journal_file(
    stream: ByteStream,
    sessions: SessionFactory,
    poster: GroupCommit,
    report: Callable[[Sequence[LineResult]], None],
) -> PostingSummary:
    """Post the journals of a file in order; `report` hears of every line, in order, once its fate is durable (LED-7).

    `poster` must have one lane, or journals of one account could overtake each other. A line that is refused leaves
    the others alone; what fails for other reasons (`Unavailable`) ends the posting, and the file may be posted again.
    """
    summary = PostingSummary()
    requests: _Requests = asyncio.Queue(_REQUESTS_IN_FLIGHT)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_request_all(stream, sessions, poster, requests, tasks))
            while (request := await requests.get()) is not None:
                results = await request
                summary.count(results)
                report(results)
    except ExceptionGroup as failures:
        # One failure ends them all, and is the one to hear of.
        raise failures.exceptions[0] from None
    return summary


async def _request_all(
    stream: ByteStream, sessions: SessionFactory, poster: GroupCommit, requests: _Requests, tasks: asyncio.TaskGroup
) -> None:
    """Ask for one batch after the other, as fast as the answers are fetched; None says that there are no more."""
    batches = read_batches(stream)
    preparation = _Preparation(sessions)
    # A pipe may keep us waiting, and answers that are due must not wait with us.
    while batch := await asyncio.to_thread(_next, batches):
        outcomes = await preparation.prepare(batch)
        await requests.put(tasks.create_task(_post(outcomes, poster)))
    await requests.put(None)


def _next(batches: Iterator[list[SourceLine]]) -> list[SourceLine] | None:
    return next(batches, None)


async def _post(outcomes: Sequence[_Outcome], poster: GroupCommit) -> list[LineResult]:
    """Post what can be posted; the results of a batch, in its order."""
    answers = iter(await poster.post_grouped([each.journal for each in outcomes if isinstance(each, _Prepared)]))
    return [posted_line(each.number, next(answers)) if isinstance(each, _Prepared) else each for each in outcomes]


class _Preparation:
    """Makes journals of lines: reads them, finds the owners of their accounts, fills in the development wallet."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._wallet_id: UUID | None = None

    async def prepare(self, batch: Sequence[SourceLine]) -> list[_Outcome]:
        """A journal or a refusal for each line."""
        drafts = [_draft(line) for line in batch]
        owners = await self._look_up([draft for _, draft in drafts if isinstance(draft, JournalDraft)])
        return [
            draft if isinstance(draft, LineResult) else self._complete(number, draft, owners)
            for number, draft in drafts
        ]

    async def _look_up(self, drafts: Sequence[JournalDraft]) -> dict[UUID, UUID]:
        """The owners that the drafts do not name; the wallet too, the first time that it is needed."""
        unowned = {draft.account_id for draft in drafts if draft.user_id is None}
        needs_wallet = self._wallet_id is None and any(draft.lacks_wallet for draft in drafts)
        if not unowned and not needs_wallet:
            return {}
        async with transaction(self._sessions) as session:
            owners = await find_owners(session, unowned) if unowned else {}
            wallet_id = await ensure_development_wallet(session, new_id()) if needs_wallet else self._wallet_id
        self._wallet_id = wallet_id
        return owners

    def _complete(self, number: int, draft: JournalDraft, owners: dict[UUID, UUID]) -> _Outcome:
        owner = draft.user_id or owners.get(draft.account_id)
        try:
            if owner is None:
                raise AccountNotFound("there is no such account; check the account's id")
            return _Prepared(number, draft.complete(owner, self._wallet_id))
        except TopCoinError as error:
            return refused_line(number, str(draft.journal_id), error)


def _draft(line: SourceLine) -> tuple[int, JournalDraft | LineResult]:
    journal_id = None
    try:
        found = read_json(line.content)
        journal_id = journal_id_in(found)
        return line.number, read_draft(found)
    except TopCoinError as error:
        return line.number, refused_line(line.number, journal_id, error)
