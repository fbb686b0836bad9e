"""Write a file of journals of every kind, for `topcoin ledger post`: a seeded life of many customers.

    python scripts/sample_journals.py accounts.jsonl --journals 100000 --out journals.jsonl

`accounts.jsonl` is what `topcoin users create --count N --json` prints. The journals are composed by the ledger's own
catalogue of events over a model of the balances, so that all of them can be posted to accounts that are still empty.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid5

from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import HOUSE_FUNDS_BOOKS, HOUSE_ID, Book, HouseBook
from topcoin.ledger.events import adjustments, deposits, house, plans, trading, withdrawals
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting.domain import Journal

ZERO = Decimal(0)


@dataclass(slots=True)
class Customer:
    """One account: its balances, and what is under way on it."""

    key: AccountKey
    balances: dict[Book, Decimal] = field(default_factory=lambda: dict.fromkeys(Book, ZERO))
    credit_due: Decimal = ZERO
    reviews: list[tuple[UUID, Decimal]] = field(default_factory=list[tuple[UUID, Decimal]])
    holds: list[tuple[UUID, withdrawals.WithdrawalHold]] = field(
        default_factory=list[tuple[UUID, withdrawals.WithdrawalHold]]
    )
    bonuses: list[tuple[Journal, Decimal]] = field(default_factory=list[tuple[Journal, Decimal]])

    @property
    def figures(self) -> AccountFigures:
        """What the account's row would say; nothing is bound by positions."""
        b = self.balances
        virtual = b[Book.VIRTUAL]
        return AccountFigures(
            user_id=self.key.user_id,
            account_id=self.key.account_id,
            deposited=b[Book.DEPOSITED],
            profit=b[Book.PROFIT],
            review=b[Book.REVIEW],
            hold=b[Book.HOLD],
            virtual=virtual,
            virtual_hold=b[Book.VIRTUAL_HOLD],
            allocated=b[Book.ALLOCATED],
            credit_due=self.credit_due,
            margin_used=ZERO,
            margin_available=virtual,
            equity=virtual,
            is_active=True,
            is_frozen=False,
            entry_count=0,
        )


Step = Callable[[Customer], Iterator[Journal]]


class World:
    """All customers and the house, moved on one random event at a time."""

    def __init__(self, keys: list[AccountKey], wallet_id: UUID, seed: int) -> None:
        self._random = random.Random(seed)
        self._customers = [Customer(key) for key in keys]
        self._wallet = wallet_id
        self._funds = ZERO
        self._count = 0
        self._seed = seed
        self._steps: list[Step] = [
            *[self._deposit] * 4,
            self._review,
            self._settle_review,
            *[self._adjust] * 2,
            self._correct,
            *[self._trade] * 6,
            *[self._plan] * 2,
            *[self._withdraw] * 2,
            *[self._end_withdrawal] * 2,
            self._approve_profit,
            self._unmatched,
            self._house,
        ]

    def journals(self) -> Iterator[Journal]:
        """Journals without end, each possible after those before it."""
        yield from self._taken(house.operator_funds_moved(self._wallet, "opening", Decimal(1_000_000)))
        while True:
            customer = self._random.choice(self._customers)
            for journal in self._random.choice(self._steps)(customer):
                yield from self._taken(journal, customer)

    def _id(self) -> UUID:
        self._count += 1
        return uuid5(HOUSE_ID, f"sample/{self._seed}/{self._count}")

    def _amount(self, most: Decimal) -> Decimal:
        """A random amount above zero and up to `most`, in cents or finer."""
        steps = int(most.scaleb(8))
        amount = Decimal(self._random.randint(1, max(1, steps))).scaleb(-8)
        cents = amount.quantize(Decimal("0.01"))
        return cents if 0 < cents <= most and self._random.random() < 0.8 else min(amount, most)  # noqa: PLR2004

    def _taken(self, journal: Journal, customer: Customer | None = None) -> Iterator[Journal]:
        """Take a journal into the model, by the rules of the ledger's books."""
        change = ZERO
        for line in journal.lines:
            if customer is not None and isinstance(line.book, Book) and journal.account_id != HOUSE_ID:
                customer.balances[line.book] += line.amount
                change -= line.amount if line.book in (Book.DEPOSITED, Book.VIRTUAL_HOLD) else ZERO
                if isinstance(line.contra, Book):
                    customer.balances[line.contra] -= line.amount
                    change += line.amount if line.contra in (Book.DEPOSITED, Book.VIRTUAL_HOLD) else ZERO
            if line.contra is HouseBook.VIRTUAL_CREDIT:
                change += line.amount
            self._funds += line.amount if line.book in HOUSE_FUNDS_BOOKS else ZERO
            self._funds -= line.amount if line.contra in HOUSE_FUNDS_BOOKS else ZERO
        if customer is not None:
            customer.credit_due += change
        yield journal

    def _deposit(self, customer: Customer) -> Iterator[Journal]:
        yield deposits.deposit_credited(customer.figures, self._id(), self._amount(Decimal(2_000)), self._wallet)

    def _review(self, customer: Customer) -> Iterator[Journal]:
        deposit_id, amount = self._id(), self._amount(Decimal(900))
        customer.reviews.append((deposit_id, amount))
        yield deposits.deposit_under_review(customer.key, deposit_id, amount, self._wallet)

    def _settle_review(self, customer: Customer) -> Iterator[Journal]:
        if not customer.reviews:
            return
        deposit_id, amount = customer.reviews.pop()
        if self._random.random() < 0.7:  # noqa: PLR2004 - most reviews end well
            yield deposits.deposit_released(customer.figures, deposit_id, amount)
        else:
            fee = min(Decimal("1.50"), amount / 2).quantize(Decimal("0.00000001"))
            yield deposits.deposit_returned(customer.key, deposit_id, amount, fee, self._wallet)

    def _unmatched(self, customer: Customer) -> Iterator[Journal]:
        amount, deposit_id = self._amount(Decimal(100)), self._id()
        yield house.receipt_unmatched(self._id(), amount, self._wallet)
        customer.reviews.append((deposit_id, amount))
        yield deposits.receipt_matched(customer.key, deposit_id, amount)

    def _adjust(self, customer: Customer) -> Iterator[Journal]:
        amount = self._amount(Decimal(500))
        journal = adjustments.balance_adjusted(
            customer.key, self._id(), amount, kind="bonus", reason=f"Volume bonus №{self._count}"
        )
        customer.bonuses.append((journal, amount))
        yield journal

    def _correct(self, customer: Customer) -> Iterator[Journal]:
        if customer.bonuses:
            journal, amount = customer.bonuses.pop()
            yield adjustments.adjustment_corrected(
                customer.figures, self._id(), amount, reverses=journal.journal_id, reason="Granted twice"
            )

    def _trade(self, customer: Customer) -> Iterator[Journal]:
        virtual = customer.balances[Book.VIRTUAL]
        if virtual < 1:
            return
        pnl = self._amount(virtual / 4) * self._random.choice((1, -1))
        commission, financing = self._amount(virtual / 100), -self._amount(virtual / 200)
        closed = trading.trade_closed(
            customer.figures, self._id(), 1, pnl, commission=commission, financing=financing, is_last=True
        )
        if closed is not None:
            yield closed

    def _plan(self, customer: Customer) -> Iterator[Journal]:
        virtual, allocated = customer.balances[Book.VIRTUAL], customer.balances[Book.ALLOCATED]
        if allocated > 0:
            cost = self._amount(allocated)
            gain = (cost * Decimal(self._random.randint(-10, 25)) / 100).quantize(Decimal("0.01"))
            yield plans.plan_redeemed(customer.key, self._id(), 1, cost, gain)
        elif virtual > 1:
            yield plans.plan_invested(customer.key, self._id(), 1, self._amount(virtual / 2))
            if customer.balances[Book.VIRTUAL] > 1:
                yield plans.plan_fee_charged(customer.key, self._id(), "2026-10", Decimal("0.25"))

    def _withdraw(self, customer: Customer) -> Iterator[Journal]:
        figures = customer.figures
        if figures.withdrawable < 10:  # noqa: PLR2004 - less would not pay its fees
            return
        withdrawal_id = self._id()
        hold = withdrawals.WithdrawalHold.of(figures, max(Decimal(10), self._amount(figures.withdrawable)))
        customer.holds.append((withdrawal_id, hold))
        yield withdrawals.withdrawal_requested(customer.key, withdrawal_id, hold)

    def _end_withdrawal(self, customer: Customer) -> Iterator[Journal]:
        if not customer.holds:
            return
        withdrawal_id, hold = customer.holds.pop()
        if self._random.random() < 0.3:  # noqa: PLR2004 - some are cancelled
            yield withdrawals.withdrawal_released(customer.key, withdrawal_id, 1, hold, why="cancelled")
            return
        network_fee, processing_fee = Decimal("1.20"), Decimal("0.80")
        sent = hold.amount - network_fee - processing_fee
        yield withdrawals.payout_sent(withdrawal_id, 1, sent, self._wallet)
        yield withdrawals.withdrawal_completed(
            customer.key,
            withdrawal_id,
            hold,
            network_fee=network_fee,
            processing_fee=processing_fee,
            wallet_id=self._wallet,
        )

    def _approve_profit(self, customer: Customer) -> Iterator[Journal]:
        virtual = customer.balances[Book.VIRTUAL]
        redeemed = self._amount(virtual / 10) if virtual > 10 else ZERO  # noqa: PLR2004 - crumbs are not approved
        if Decimal("0.01") < redeemed < self._funds:
            yield adjustments.profit_approved(customer.key, self._id(), redeemed, Decimal("0.8"))

    def _house(self, customer: Customer) -> Iterator[Journal]:
        record = str(self._id())
        if self._random.random() < 0.5:  # noqa: PLR2004 - as often as not
            yield house.operator_funds_moved(self._wallet, record, self._amount(Decimal(5_000)))
        elif self._funds > 100:  # noqa: PLR2004 - the house has something to lose
            yield house.network_cost_borne(self._wallet, record, self._amount(Decimal(2)))
            yield house.custody_revalued(self._wallet, f"{record}/value", -self._amount(Decimal(20)))
        del customer


def to_line(journal: Journal) -> str:
    """A journal as `topcoin ledger post` reads it; wallets are left to the command's development wallet."""
    kind = journal.lines[0].entry_type
    lines: list[dict[str, str]] = []
    for line in journal.lines:
        written = {"book": str(line.book), "contra": str(line.contra), "amount": f"{line.amount:f}"}
        if line.entry_type is not kind:
            written["entry_type"] = str(line.entry_type)
        lines.append(written)
    document = {
        "journal_id": str(journal.journal_id),
        "account_id": str(journal.account_id),
        "entry_type": str(kind),
        "description": journal.description,
        "reference": {"type": str(journal.reference.type), "id": journal.reference.id},
        "lines": lines,
        "metadata": dict(journal.metadata),
    }
    if journal.reverses is not None:
        document["reverses"] = str(journal.reverses)
    return json.dumps(document, ensure_ascii=False)


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("accounts", type=Path)
    parser.add_argument("--journals", type=int, default=100_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.accounts.read_text().splitlines() if line.strip()]
    keys = [AccountKey(UUID(row["user_id"]), UUID(row["account_id"])) for row in rows]
    if not keys:
        sys.exit(f"{arguments.accounts} names no accounts; make some with: topcoin users create --count 1000 --json")
    source = World(keys, HOUSE_ID, arguments.seed).journals()
    with arguments.out.open("w", encoding="utf-8") as out:
        for _ in range(arguments.journals):
            out.write(to_line(next(source)) + "\n")


if __name__ == "__main__":
    main()
