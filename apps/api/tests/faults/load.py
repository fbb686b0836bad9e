"""Load: random journals, each a function of its number alone, and workers who post them through both doors at once.

Since the number decides the content, processes that never speak to each other post the same journals, and a test knows
what was asked for without being told.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from random import Random
from typing import NamedTuple, Self
from uuid import UUID

from faults.books import Books, Place
from sqlalchemy.ext.asyncio import AsyncSession

from topcoin.infra.database.connect import SessionFactory
from topcoin.infra.database.unit_of_work import run_in_transaction
from topcoin.kernel.errors import Unavailable
from topcoin.ledger.events.adjustments import balance_adjusted, profit_approved
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.events.deposits import deposit_returned, deposit_under_review
from topcoin.ledger.events.house import custody_revalued, network_cost_borne, operator_funds_moved
from topcoin.ledger.events.plans import plan_invested, plan_redeemed
from topcoin.ledger.events.trading import commission_charged
from topcoin.ledger.events.withdrawals import (
    WithdrawalHold,
    payout_failed,
    payout_sent,
    withdrawal_released,
    withdrawal_requested,
)
from topcoin.ledger.group_commit.service import GroupCommit
from topcoin.ledger.posting.domain import Journal, PostingResult
from topcoin.ledger.posting.service import post

JOURNALS_PER_UNIT_MAX = 3


class _Draw(NamedTuple):
    """What chance decided of a journal."""

    account: AccountKey
    withdrawal: UUID
    """One that is under way since the books were opened, and of which little by little is given back."""
    revision: int
    wallet: UUID
    event_id: UUID
    amount: Decimal
    signed: Decimal

    @property
    def hold(self) -> WithdrawalHold:
        return WithdrawalHold(profit=Decimal(0), deposit=self.amount, virtual=self.amount / 2)


def _adjusted(draw: _Draw) -> Journal:
    return balance_adjusted(draw.account, draw.event_id, draw.signed, kind="equity_adjustment", reason="Load")


_EVENTS: tuple[tuple[Callable[[_Draw], Journal], Callable[[_Draw], Journal]], ...] = (
    # One account alone.
    (_adjusted, lambda d: commission_charged(d.account, d.event_id, 1, d.amount)),
    (
        lambda d: plan_invested(d.account, d.event_id, 1, d.amount),
        lambda d: plan_redeemed(d.account, d.event_id, 1, d.amount, d.signed),
    ),
    (
        lambda d: withdrawal_requested(d.account, d.event_id, d.hold),
        lambda d: withdrawal_released(d.account, d.withdrawal, d.revision, d.hold, why="lowered"),
    ),
    # An account, and a wallet or the house's free money behind it.
    (
        lambda d: deposit_under_review(d.account, d.event_id, d.amount, d.wallet),
        lambda d: deposit_returned(d.account, d.event_id, d.amount, d.amount / 4, d.wallet),
    ),
    (_adjusted, lambda d: profit_approved(d.account, d.event_id, d.amount, Decimal("0.5"))),
    # The house's account, its free money and a wallet.
    (
        lambda d: operator_funds_moved(d.wallet, str(d.event_id), d.signed),
        lambda d: network_cost_borne(d.wallet, str(d.event_id), d.amount),
    ),
    (
        lambda d: payout_sent(d.event_id, 1, d.amount, d.wallet),
        lambda d: payout_failed(d.event_id, 1, d.amount, d.wallet),
    ),
    # One that is always refused, whatever came before it.
    (
        lambda d: plan_invested(d.account, d.event_id, 1, d.amount + 10**9),
        lambda d: custody_revalued(d.wallet, str(d.event_id), d.signed),
    ),
)
"""Pairs of events of which the second may well be refused before the first has been posted."""


def draw_journal(books: Books, seed: str, number: int) -> Journal:
    """The journal of that number; an even number and the one after it are a pair on one account."""
    chance = Random(f"{seed}/{number // 2}")  # noqa: S311 - the same on every run is what is wanted
    amount = Decimal(chance.randrange(4, 100 * 10**8, 4)).scaleb(-8)
    account = chance.choice(books.accounts)
    draw = _Draw(
        account=account,
        withdrawal=books.withdrawals[books.accounts.index(account)],
        revision=number,
        wallet=chance.choice(books.wallets),
        event_id=UUID(int=chance.getrandbits(128), version=4),
        amount=amount,
        signed=amount * chance.choice([1, -1]),
    )
    return chance.choice(_EVENTS)[number % 2](draw)


class Acknowledgement(NamedTuple):
    """The answer for the journal of a number."""

    number: int
    status: str
    places: list[Place]

    @classmethod
    def of(cls, number: int, result: PostingResult) -> Self:
        """What a door answered."""
        return cls(number, result.status.value, [Place.of(entry) for entry in result.entries])


@dataclass(frozen=True, slots=True)
class Doors:
    """The two doors of the ledger, and a flag that says whether it is worth knocking."""

    sessions: SessionFactory
    group: GroupCommit
    available: asyncio.Event
    several_calls: float
    """How often a transaction posts each journal by a call of its own, which locks accounts in no order at all."""

    async def post(self, chance: Random, journals: Sequence[Journal]) -> list[PostingResult]:
        """Post through one of the doors until there is an answer, as its errors tell callers to do."""
        one_by_one = chance.random() < self.several_calls

        async def work(session: AsyncSession) -> list[PostingResult]:
            if one_by_one:
                return [result for journal in journals for result in await post(session, [journal])]
            return await post(session, journals)

        through_session = chance.random() < 0.5
        while True:
            await self.available.wait()
            try:
                if through_session:
                    return await run_in_transaction(self.sessions, work)
                return await self.group.post_grouped(journals)
            except Unavailable:
                # Said by both doors of what can be repeated. The caller's own time limit bounds this.
                continue


async def post_all(
    doors: Doors,
    books: Books,
    seed: str,
    numbers: Iterable[int],
    *,
    chance: Random,
    workers: int,
    acknowledge: Callable[[Acknowledgement], None],
) -> None:
    """Post the journals of these numbers, a few at a time, and tell of each as soon as it is answered."""
    remaining = iter(numbers)

    async def work() -> None:
        while unit := list(islice(remaining, chance.randint(1, JOURNALS_PER_UNIT_MAX))):
            results = await doors.post(chance, [draw_journal(books, seed, number) for number in unit])
            for number, result in zip(unit, results, strict=True):
                acknowledge(Acknowledgement.of(number, result))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(workers):
            tasks.create_task(work())
