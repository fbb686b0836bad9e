"""The ledger against a model of it in plain Python, over every event of the catalogue, in any order."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from support.books import Books, adjusting, adjustment_line

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.accounts.domain import AccountFigures
from topcoin.ledger.chart.domain import Book
from topcoin.ledger.checking.service import verify
from topcoin.ledger.events import adjustments, deposits, house, plans, trading, withdrawals
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.events.withdrawals import WithdrawalHold
from topcoin.ledger.posting.domain import Journal, PostingStatus
from topcoin.ledger.posting.service import post

Result = TypeVar("Result")

ZERO, STEP = Decimal(0), Decimal("0.00000001")
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
PACE = settings(
    max_examples=2_000 if SOAK else 20,
    stateful_step_count=100 if SOAK else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

amounts = st.decimals(min_value=STEP, max_value=1_000, places=8) | st.integers(1, 1_000).map(Decimal)
small = st.just(ZERO) | st.decimals(min_value=STEP, max_value=3, places=8)
parts = st.sampled_from([Decimal("0.1"), Decimal("0.33333333"), Decimal("0.5"), Decimal(1)])


def part_of(amount: Decimal, part: Decimal) -> Decimal:
    """A part of an amount, at least one step."""
    return max(STEP, (amount * part).quantize(STEP))


class Run:
    """What the examples of one run share: a database, an event loop, connections."""

    def __init__(self, database: Settings) -> None:
        self.database = database
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.books = self.wait(self._stack.enter_async_context(Books.open(database, pooled=True)))
        self._sink = self.wait(self.books.wallet())
        self.wait(self.books.post(house.receipt_unmatched(new_id(), Decimal(10**9), self._sink)))

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do asynchronous work here and now."""
        return self._runner.run(work)

    def begin(self) -> None:
        """Let the house's free money vanish in value, so that no example depends on those before it."""
        free = self.wait(self.books.house_funds())
        if free:
            self.wait(self.books.post(house.custody_revalued(self._sink, str(new_id()), -free)))

    def close(self) -> None:
        """Close the connections and the loop."""
        self.wait(self._stack.aclose())
        self._runner.close()


class LedgerMachine(RuleBasedStateMachine):
    """One customer's account and one wallet; each rule says what it expects to change, and by how much."""

    run: ClassVar[Run]

    def __init__(self) -> None:
        super().__init__()
        self.run.begin()
        books = self.run.books
        self.account: AccountKey = self.run.wait(books.account())
        self.wallet_id: UUID = self.run.wait(books.wallet())
        self.model: dict[str, Decimal] = dict.fromkeys([*Book, "wallet", "margin_available"], ZERO)
        self.model["funds"] = ZERO
        self.margin_used = ZERO
        self.credit = ZERO
        self.posted: list[Journal] = []
        self.reviews: list[tuple[UUID, Decimal]] = []
        self.unmatched: list[Decimal] = []
        self.holds: list[tuple[UUID, int, WithdrawalHold]] = []
        self.in_transit: list[tuple[UUID, Decimal]] = []
        self.credits: list[tuple[Journal, Decimal]] = []
        self.invested = new_id()
        self.count = 0

    # -- What every rule does ----------------------------------------------------------------------------------------

    def go(self, *journals: Journal | None, **changes: Decimal) -> None:
        """Post what must be accepted, and move the model."""
        self.run.wait(self.run.books.post(*journals))
        self.posted += [journal for journal in journals if journal is not None]
        for name, change in changes.items():
            self.model[name] += change
        self.model["margin_available"] += changes.get("virtual", ZERO)

    def figures(self) -> AccountFigures:
        """The account as a service would read it."""
        return self.run.wait(self.run.books.figures(self.account))

    @property
    def credit_due(self) -> Decimal:
        """Credit given that neither a deposit nor a hold stands behind any more."""
        return self.credit - self.model["deposited"] - self.model["virtual_hold"]

    def credit_for(self, amount: Decimal) -> Decimal:
        """The credit that a deposit of an amount brings."""
        granted = max(ZERO, amount - self.credit_due)
        self.credit += granted
        return granted

    @property
    def free(self) -> Decimal:
        """What may leave the virtual balance."""
        return max(ZERO, min(self.model["virtual"], self.model["margin_available"]))

    # -- Deposits ----------------------------------------------------------------------------------------------------

    @rule(amount=amounts)
    def deposit(self, amount: Decimal) -> None:
        """A deposit is credited."""
        journal = deposits.deposit_credited(self.figures(), new_id(), amount, self.wallet_id)
        self.go(journal, deposited=amount, virtual=self.credit_for(amount), wallet=amount)

    @rule(amount=amounts)
    def review(self, amount: Decimal) -> None:
        """A deposit waits for review."""
        self.reviews.append((new_id(), amount))
        journal = deposits.deposit_under_review(self.account, self.reviews[-1][0], amount, self.wallet_id)
        self.go(journal, review=amount, wallet=amount)

    @precondition(lambda self: self.reviews)
    @rule()
    def release(self) -> None:
        """A review ends well."""
        deposit_id, amount = self.reviews.pop()
        journal = deposits.deposit_released(self.figures(), deposit_id, amount)
        self.go(journal, review=-amount, deposited=amount, virtual=self.credit_for(amount))

    @precondition(lambda self: self.reviews)
    @rule(fee=small)
    def send_back(self, fee: Decimal) -> None:
        """A review ends in a return, of which the network takes a part, if the wallet still holds as much."""
        deposit_id, amount = self.reviews[-1]
        if amount > self.model["wallet"]:
            return
        self.reviews.pop()
        fee = min(fee, amount)
        journal = deposits.deposit_returned(self.account, deposit_id, amount, fee, self.wallet_id)
        self.go(journal, review=-amount, wallet=-amount)

    @rule(amount=amounts)
    def receive_unmatched(self, amount: Decimal) -> None:
        """Money of unknown owner arrives."""
        self.unmatched.append(amount)
        self.go(house.receipt_unmatched(new_id(), amount, self.wallet_id), wallet=amount)

    @precondition(lambda self: self.unmatched)
    @rule()
    def match(self) -> None:
        """Its owner is found."""
        amount, deposit_id = self.unmatched.pop(), new_id()
        self.go(deposits.receipt_matched(self.account, deposit_id, amount), review=amount)
        self.reviews.append((deposit_id, amount))

    @rule(amount=amounts)
    def refund(self, amount: Decimal) -> None:
        """The provider takes a deposit back; what was spent is the house's loss, if it can bear it."""
        taken = min(amount, self.model["deposited"])
        if amount > self.model["wallet"] or amount - taken > self.model["funds"]:
            return
        virtual = min(taken, self.free)
        journals = deposits.deposit_refunded(self.figures(), new_id(), amount, self.wallet_id)
        self.credit -= virtual
        self.go(*journals, deposited=-taken, virtual=-virtual, wallet=-amount, funds=taken - amount)

    # -- Withdrawals -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model["deposited"] + self.model["profit"] > 0)
    @rule(part=parts)
    def ask(self, part: Decimal) -> None:
        """The customer asks for a part of what is withdrawable."""
        amount = min(
            part_of(self.model["deposited"] + self.model["profit"], part),
            self.model["deposited"] + self.model["profit"],
        )
        profit = min(amount, self.model["profit"])
        virtual = min(amount - profit, self.free)
        hold = WithdrawalHold.of(self.figures(), amount)
        assert hold == WithdrawalHold(profit, amount - profit, virtual)
        self.holds.append((new_id(), 0, hold))
        journal = withdrawals.withdrawal_requested(self.account, self.holds[-1][0], hold)
        self.go(journal, hold=amount, profit=-profit, deposited=profit - amount, virtual=-virtual, virtual_hold=virtual)

    @precondition(lambda self: self.holds)
    @rule(part=parts)
    def lower(self, part: Decimal) -> None:
        """A withdrawal is lowered, or cancelled where the part is the whole."""
        withdrawal_id, revision, hold = self.holds.pop()
        amount = min(part_of(hold.amount, part), hold.amount)
        back = hold.part(amount)
        assert back.amount == amount
        journal = withdrawals.withdrawal_released(self.account, withdrawal_id, revision + 1, back, why="lowered")
        self.go(
            journal,
            hold=-amount,
            profit=back.profit,
            deposited=back.deposit,
            virtual=back.virtual,
            virtual_hold=-back.virtual,
        )
        rest = WithdrawalHold(hold.profit - back.profit, hold.deposit - back.deposit, hold.virtual - back.virtual)
        if rest.amount:
            self.holds.append((withdrawal_id, revision + 1, rest))
        else:
            assert rest.virtual == 0

    @precondition(lambda self: self.holds)
    @rule(network_fee=small, processing_fee=small, fails=st.booleans())
    def pay(self, network_fee: Decimal, processing_fee: Decimal, fails: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """A payout is sent, perhaps for a second time, arrives, and completes the withdrawal."""
        withdrawal_id, _, hold = self.holds[-1]
        sent = hold.amount - network_fee - processing_fee
        if sent <= 0 or self.model["wallet"] < sent + network_fee:
            return
        self.holds.pop()
        self.go(withdrawals.payout_sent(withdrawal_id, 1, sent, self.wallet_id), wallet=-sent)
        if fails:
            self.go(withdrawals.payout_failed(withdrawal_id, 1, sent, self.wallet_id), wallet=sent)
            self.go(withdrawals.payout_sent(withdrawal_id, 2, sent, self.wallet_id), wallet=-sent)
        journal = withdrawals.withdrawal_completed(
            self.account,
            withdrawal_id,
            hold,
            network_fee=network_fee,
            processing_fee=processing_fee,
            wallet_id=self.wallet_id,
        )
        self.credit -= hold.virtual
        self.go(journal, hold=-hold.amount, virtual_hold=-hold.virtual, wallet=-network_fee)

    # -- The operator ------------------------------------------------------------------------------------------------

    @rule(amount=amounts, sign=st.sampled_from([1, -1]))
    def adjust(self, amount: Decimal, sign: int) -> None:
        """An adjustment, downwards only as far as the balance goes."""
        change = amount if sign > 0 else -min(amount, max(ZERO, self.model["virtual"]))
        if not change:
            return
        journal = adjustments.balance_adjusted(self.account, new_id(), change, kind="bonus", reason="A reason")
        self.go(journal, virtual=change)
        if change > 0:
            self.credits.append((journal, change))

    @precondition(lambda self: self.credits)
    @rule()
    def correct(self) -> None:
        """An adjustment is taken back, whatever became of it."""
        credit, amount = self.credits.pop()
        journal = adjustments.adjustment_corrected(
            self.figures(), new_id(), amount, reverses=credit.journal_id, reason="An error"
        )
        self.go(journal, virtual=-min(amount, max(ZERO, self.model["virtual"])))
        again = adjusting(self.account, 1, reverses=credit.journal_id)
        assert self.run.wait(self.run.books.refused(again)).code == "already_reversed"

    @rule(part=parts, share=st.sampled_from([Decimal("0.5"), Decimal("0.8"), Decimal(1)]))
    def approve_profit(self, part: Decimal, share: Decimal) -> None:
        """Profit is approved out of what is free and covered."""
        redeemed = min(part_of(self.free, part), self.free)
        profit = (redeemed * share).quantize(STEP)
        if not redeemed or not profit or profit > self.model["funds"]:
            return
        journal = adjustments.profit_approved(self.account, new_id(), redeemed, share)
        self.go(journal, profit=profit, virtual=-redeemed, funds=-profit)

    @rule(amount=amounts, sign=st.sampled_from([1, -1]))
    def move_operator_funds(self, amount: Decimal, sign: int) -> None:
        """The operator's money comes, or goes as far as it is free."""
        change = amount if sign > 0 else -min(amount, self.model["funds"], self.model["wallet"])
        if change:
            journal = house.operator_funds_moved(self.wallet_id, str(new_id()), change)
            self.go(journal, wallet=change, funds=change)

    @rule(amount=small, revalued=st.booleans(), sign=st.sampled_from([1, -1]))
    def bear(self, amount: Decimal, revalued: bool, sign: int) -> None:  # noqa: FBT001 - drawn by Hypothesis
        """The house bears a cost, or what it holds changes its value."""
        change = amount if sign > 0 and revalued else -min(amount, self.model["funds"], self.model["wallet"])
        if not change:
            return
        record = str(new_id())
        journal = (
            house.custody_revalued(self.wallet_id, record, change)
            if revalued
            else house.network_cost_borne(self.wallet_id, record, -change)
        )
        self.go(journal, wallet=change, funds=change)

    # -- Trading and plans -------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.margin_used and self.model["virtual"] > 0)
    @rule(part=parts, commission=small)
    def open_position(self, part: Decimal, commission: Decimal) -> None:
        """A position binds a part of the balance; its order costs a commission."""
        self.margin_used = part_of(self.model["virtual"], part)
        self.run.wait(self.run.books.bind_margin(self.account, self.margin_used))
        self.model["margin_available"] = self.model["virtual"] + self.model["virtual_hold"] - self.margin_used
        if commission:
            self.go(trading.commission_charged(self.account, new_id(), 1, commission), virtual=-commission)

    @precondition(lambda self: self.margin_used)
    @rule(pnl=st.decimals(min_value=-3_000, max_value=1_000, places=8), commission=small, financing=small)
    def close_part(self, pnl: Decimal, commission: Decimal, financing: Decimal) -> None:
        """A part is closed; the balance may go below zero while the rest is open."""
        journal = trading.trade_closed(
            self.figures(), new_id(), 1, pnl, commission=commission, financing=-financing, is_last=False
        )
        if journal is not None:
            self.go(journal, virtual=pnl - commission - financing)

    @precondition(lambda self: self.margin_used)
    @rule(amount=st.decimals(min_value=-2, max_value=2, places=8).filter(bool))
    def charge_financing(self, amount: Decimal) -> None:
        """A position is held over night."""
        self.go(trading.financing_charged(self.account, new_id(), "2026-01-05", amount), virtual=amount)

    @precondition(lambda self: self.margin_used)
    @rule(pnl=st.decimals(min_value=-3_000, max_value=1_000, places=8), commission=small)
    def close_last(self, pnl: Decimal, commission: Decimal) -> None:
        """The last position is closed; protection lifts what is below zero to exactly zero."""
        before = self.model["virtual"]
        journal = trading.trade_closed(self.figures(), new_id(), 1, pnl, commission=commission, is_last=True)
        after = max(ZERO, before + pnl - commission)
        if journal is not None:
            self.go(journal, virtual=after - before)
        self.margin_used = ZERO
        self.run.wait(self.run.books.bind_margin(self.account, 0))
        self.model["margin_available"] = self.model["virtual"] + self.model["virtual_hold"]

    @precondition(lambda self: self.free > 0)
    @rule(part=parts)
    def invest(self, part: Decimal) -> None:
        """A part of what is free goes into a plan."""
        self.count += 1
        amount = min(part_of(self.free, part), self.free)
        self.go(plans.plan_invested(self.account, self.invested, self.count, amount), virtual=-amount, allocated=amount)

    @precondition(lambda self: self.model["allocated"] > 0)
    @rule(part=parts, gain=st.decimals(min_value=-1, max_value=1, places=8))
    def redeem(self, part: Decimal, gain: Decimal) -> None:
        """Units are redeemed with a gain or a loss, which is smaller than their cost."""
        self.count += 1
        cost = min(part_of(self.model["allocated"], part), self.model["allocated"])
        change = (cost * gain).quantize(STEP)
        journal = plans.plan_redeemed(self.account, self.invested, self.count, cost, change)
        self.go(journal, allocated=-cost, virtual=cost + change)

    @precondition(lambda self: self.model["virtual"] > 0)
    @rule(fee=small.filter(bool))
    def charge_plan_fee(self, fee: Decimal) -> None:
        """A plan's fee, which never takes more than there is."""
        self.count += 1
        fee = min(fee, self.model["virtual"])
        self.go(plans.plan_fee_charged(self.account, self.invested, str(self.count), fee), virtual=-fee)

    # -- What goes wrong ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.posted)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Anything posted before may come again, in its own content or in another."""
        journal = data.draw(st.sampled_from(self.posted))
        (result,) = self.run.wait(self.run.books.post_all([journal]))
        assert result.status is PostingStatus.DUPLICATE
        other = adjusting(self.account, 1, journal_id=journal.journal_id)
        if journal.user_id == self.account.user_id:
            assert self.run.wait(self.run.books.refused(other)).code == "idempotency_conflict"

    @rule(excess=amounts)
    def ask_for_too_much(self, excess: Decimal) -> None:
        """More than there is of anything is refused, and changes nothing."""
        real = WithdrawalHold(ZERO, self.model["deposited"] + excess, ZERO)
        too_much: list[tuple[Journal, set[str]]] = [
            (withdrawals.withdrawal_requested(self.account, new_id(), real), {"insufficient_funds"}),
            (
                plans.plan_invested(self.account, new_id(), 1, max(self.free, ZERO) + excess),
                {"insufficient_funds", "insufficient_margin"},
            ),
            (
                adjusting(self.account, 1, lines=(adjustment_line(-max(self.model["virtual"], ZERO) - excess),)),
                {"insufficient_funds"},
            ),
            (
                house.operator_funds_moved(self.wallet_id, str(new_id()), -self.model["funds"] - excess),
                {"not_covered"},
            ),
            (
                withdrawals.payout_sent(new_id(), 1, self.model["wallet"] + excess, self.wallet_id),
                {"wallet_overdrawn"},
            ),
        ]
        before = self.run.wait(self.run.books.state())
        results = self.run.wait(self.run.books.post_all([journal for journal, _ in too_much]))
        assert self.run.wait(self.run.books.state()) == before
        for result, (_, codes) in zip(results, too_much, strict=True):
            assert result.error is not None
            assert result.error.code in codes

    @rule(amount=amounts)
    def crash(self, amount: Decimal) -> None:
        """A transaction posts and ends without its commit; afterwards its id is still free."""
        journal = deposits.deposit_credited(self.figures(), new_id(), amount, self.wallet_id)

        async def post_and_roll_back() -> None:
            async with self.run.books.sessions() as session:
                (result,) = await post(session, [journal])
                assert result.status is PostingStatus.POSTED
                await session.rollback()

        self.run.wait(post_and_roll_back())
        self.go(journal, deposited=amount, virtual=self.credit_for(amount), wallet=amount)

    # -- What always holds -------------------------------------------------------------------------------------------

    @invariant()
    def balances_are_the_models(self) -> None:
        """Every balance, and none below zero but for `virtual` while positions are open (LED-2)."""
        figures = self.figures()
        for book in Book:
            assert getattr(figures, book.value) == self.model[book], book
            assert self.model[book] >= 0 or (book is Book.VIRTUAL and self.margin_used > 0)
        assert figures.credit_due == self.credit_due
        assert figures.margin_available == self.model["margin_available"]
        assert figures.equity == self.model["virtual"] + self.model["virtual_hold"]
        assert self.run.wait(self.run.books.wallet_balance(self.wallet_id)) == self.model["wallet"]
        assert self.run.wait(self.run.books.house_funds()) == self.model["funds"] >= 0

    @rule()
    def check(self) -> None:
        """Everything adds up from the entries alone (LED-1 to LED-6)."""
        report = verify(database_url(self.run.database, Role.READ))
        assert report.ok, report.problems

    def teardown(self) -> None:
        """At the end, too."""
        self.check()


def test_the_ledger_keeps_to_its_model(database: Settings) -> None:
    """LED-1 to LED-6, after every step. `HYPOTHESIS_PROFILE=soak` goes on for much longer."""
    run = Run(database)
    machine: Callable[[], LedgerMachine] = type("Machine", (LedgerMachine,), {"run": run})
    try:
        run_state_machine_as_test(machine, settings=PACE)
    finally:
        run.close()
