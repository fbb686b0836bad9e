"""Every event of the catalogue, through both doors: its entries, its balances, its id."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest
from support.books import Books, Customer, balances

from topcoin.kernel.ids import new_id
from topcoin.ledger.errors import AlreadyReversed
from topcoin.ledger.events import adjustments, deposits, house, plans, trading, withdrawals
from topcoin.ledger.events.composing import AccountKey, AmountNotPositive, journal_id
from topcoin.ledger.events.withdrawals import WithdrawalHold

D = Decimal


async def test_deposit_credited(either_door: Books) -> None:
    account, wallet = await either_door.account(), await either_door.wallet()
    journal = deposits.deposit_credited(await either_door.figures(account), new_id(), D(500), wallet)
    await either_door.post(journal)
    assert await either_door.shown(journal) == [
        ("deposit", "deposited", "custody", 500, 500, None),
        ("deposit", "virtual", "virtual_credit", 500, 500, None),
    ]
    assert [e.wallet_id for e in await either_door.entries(journal)] == [wallet, None]
    assert await either_door.wallet_balance(wallet) == 500
    figures = await either_door.figures(account)
    assert balances(figures) == {"deposited": 500, "virtual": 500}
    assert (figures.equity, figures.margin_available, figures.entry_count) == (500, 500, 2)


async def test_under_review_then_released(customer: Customer) -> None:
    books, deposit = customer.books, new_id()
    await books.post(deposits.deposit_under_review(customer.account, deposit, D(70), customer.wallet))
    await customer.holds(deposited=500, virtual=10_000, review=70)
    released = deposits.deposit_released(await books.figures(customer.account), deposit, D(70))
    await books.post(released)
    assert await books.shown(released) == [
        ("deposit", "deposited", "review", 70, 570, 0),
        ("deposit", "virtual", "virtual_credit", 70, 10_070, None),
    ]
    await customer.holds(deposited=570, virtual=10_070)


async def test_under_review_then_returned_to_the_sender(customer: Customer) -> None:
    books, deposit = customer.books, new_id()
    await books.post(deposits.deposit_under_review(customer.account, deposit, D(70), customer.wallet))
    returned = deposits.deposit_returned(customer.account, deposit, D(70), D("1.5"), customer.wallet)
    await books.post(returned)
    assert await books.shown(returned) == [
        ("deposit_return", "review", "custody", D("-68.5"), D("1.5"), None),
        ("network_fee", "review", "custody", D("-1.5"), 0, None),
    ]
    await customer.holds(deposited=500, virtual=10_000)
    assert await books.wallet_balance(customer.wallet) == 1_500


async def test_unmatched_receipt_then_matched(customer: Customer) -> None:
    books, deposit = customer.books, new_id()
    free = await books.house_funds()
    receipt = house.receipt_unmatched(new_id(), D(30), customer.wallet)
    await books.post(receipt)
    assert await books.shown(receipt) == [("unmatched_receipt", "unallocated", "custody", 30, None, None)]
    matched = deposits.receipt_matched(customer.account, deposit, D(30))
    await books.post(matched)
    assert await books.shown(matched) == [("deposit", "review", "unallocated", 30, 30, None)]
    assert await books.house_funds() == free
    assert await books.wallet_balance(customer.wallet) == 1_530


async def test_withdrawal_asked_lowered_and_cancelled_is_the_exact_reverse(customer: Customer) -> None:
    books = customer.books
    await books.post(adjustments.profit_approved(customer.account, new_id(), D(100), D("0.8")))
    before = balances(await books.figures(customer.account))
    assert before == {"deposited": 500, "profit": 80, "virtual": 9_900}
    withdrawal, hold = await customer.ask(300)
    assert hold == WithdrawalHold(profit=D(80), deposit=D(220), virtual=D(220))
    await customer.holds(deposited=280, hold=300, virtual=9_680, virtual_hold=220)
    part = hold.part(D(250))
    assert part == WithdrawalHold(profit=D(30), deposit=D(220), virtual=D(220))
    await books.post(withdrawals.withdrawal_released(customer.account, withdrawal, 1, part, why="lowered"))
    await customer.holds(deposited=500, profit=30, hold=50, virtual=9_900)
    rest = WithdrawalHold(hold.profit - part.profit, hold.deposit - part.deposit, hold.virtual - part.virtual)
    await books.post(withdrawals.withdrawal_released(customer.account, withdrawal, 2, rest, why="cancelled"))
    assert balances(await books.figures(customer.account)) == before


async def test_withdrawal_paid_with_both_fees(customer: Customer) -> None:
    books = customer.books
    free = await books.house_funds()
    withdrawal, hold = await customer.ask(400)
    sent = withdrawals.payout_sent(withdrawal, 1, D(395), customer.wallet)
    failed = withdrawals.payout_failed(withdrawal, 1, D(395), customer.wallet)
    again = withdrawals.payout_sent(withdrawal, 2, D(395), customer.wallet)
    await books.post(sent, failed, again)
    assert (await books.entries(failed))[0].reverses == sent.journal_id
    completed = withdrawals.withdrawal_completed(
        customer.account, withdrawal, hold, network_fee=D(2), processing_fee=D(3), wallet_id=customer.wallet
    )
    await books.post(completed)
    assert await books.shown(completed) == [
        ("withdrawal", "hold", "payouts_in_transit", -395, 5, None),
        ("network_fee", "hold", "custody", -2, 3, None),
        ("processing_fee", "hold", "processing_fees", -3, 0, None),
        ("withdrawal", "virtual_hold", "virtual_credit", -400, 0, None),
    ]
    await customer.holds(deposited=100, virtual=9_600)
    assert await books.wallet_balance(customer.wallet) == 1_500 - 395 - 2
    assert await books.house_funds() == free


async def test_credit_outlives_its_deposit_and_is_netted_from_the_next(either_door: Books) -> None:
    """Deposit, lose it trading, withdraw, deposit again: the second deposit brings only what is not due."""
    customer = Customer(either_door, await either_door.account(), await either_door.wallet())
    await either_door.deposit(customer.account, customer.wallet, 500)
    figures = await either_door.figures(customer.account)
    await either_door.post(trading.trade_closed(figures, new_id(), 1, D(-450), is_last=True))
    withdrawal, hold = await customer.ask(300)
    assert hold == WithdrawalHold(profit=D(0), deposit=D(300), virtual=D(50))
    await customer.holds(deposited=200, hold=300, virtual_hold=50, credit_due=250)
    await either_door.post(
        withdrawals.withdrawal_completed(
            customer.account, withdrawal, hold, network_fee=D(0), processing_fee=D(0), wallet_id=customer.wallet
        )
    )
    await customer.holds(deposited=200, credit_due=250)
    await either_door.deposit(customer.account, customer.wallet, 200)
    await customer.holds(deposited=400, credit_due=50)
    await either_door.deposit(customer.account, customer.wallet, 60)
    await customer.holds(deposited=460, virtual=10)


async def test_cancelling_gives_back_what_was_due(either_door: Books) -> None:
    customer = Customer(either_door, await either_door.account(), await either_door.wallet())
    await either_door.deposit(customer.account, customer.wallet, 500)
    figures = await either_door.figures(customer.account)
    await either_door.post(trading.trade_closed(figures, new_id(), 1, D(-450), is_last=True))
    withdrawal, hold = await customer.ask(300)
    await either_door.post(withdrawals.withdrawal_released(customer.account, withdrawal, 1, hold, why="cancelled"))
    await customer.holds(deposited=500, virtual=50)


async def test_refund_of_a_deposit_that_is_still_there(customer: Customer) -> None:
    books = customer.books
    free = await books.house_funds()
    own, missing = deposits.deposit_refunded(await books.figures(customer.account), new_id(), D(500), customer.wallet)
    assert missing is None
    await books.post(own)
    await customer.holds(virtual=9_500)
    assert await books.wallet_balance(customer.wallet) == 1_000
    assert await books.house_funds() == free


async def test_refund_of_a_deposit_that_was_spent_is_the_houses_loss(customer: Customer) -> None:
    books = customer.books
    free = await books.house_funds()
    own, missing = deposits.deposit_refunded(await books.figures(customer.account), new_id(), D(700), customer.wallet)
    assert own is not None
    assert missing is not None
    await books.post(own, missing)
    assert await books.shown(own) == [
        ("deposit_return", "deposited", "custody", -500, 0, None),
        ("deposit_return", "virtual", "virtual_credit", -500, 9_500, None),
    ]
    assert await books.shown(missing) == [("credit_loss", "credit_losses", "custody", -200, None, None)]
    assert await books.house_funds() == free - 200
    assert await books.wallet_balance(customer.wallet) == 800


async def test_refund_of_a_deposit_that_is_gone_altogether(either_door: Books) -> None:
    account, wallet = await either_door.account(), await either_door.wallet(50)
    own, missing = deposits.deposit_refunded(await either_door.figures(account), new_id(), D(50), wallet)
    assert own is None
    await either_door.post(missing)
    assert await either_door.wallet_balance(wallet) == 0


async def test_adjustment_shows_type_and_reason(customer: Customer) -> None:
    """P3."""
    journal = await customer.books.adjust(customer.account, "-0.00000001")
    (entry,) = await customer.books.entries(journal)
    assert (entry.entry_type, entry.contra, entry.reference_type) == (
        "admin_adjustment",
        "operator_adjustment",
        "admin_adjustment",
    )
    assert entry.metadata == '{"adjustment_type":"equity_adjustment","reason":"Initial allocation"}'
    await customer.holds(deposited=500, virtual="9999.99999999")


async def test_correction_of_a_credit_that_was_traded_away(customer: Customer) -> None:
    books = customer.books
    credit = await books.adjust(customer.account, 1_000)
    figures = await books.figures(customer.account)
    await books.post(trading.trade_closed(figures, new_id(), 1, D(-10_600), is_last=True))
    correction = adjustments.adjustment_corrected(
        await books.figures(customer.account), new_id(), D(1_000), reverses=credit.journal_id, reason="Typing error"
    )
    await books.post(correction)
    assert await books.shown(correction) == [
        ("correction_writeoff", "virtual", "correction_writeoff", 600, 1_000, None),
        ("admin_adjustment", "virtual", "operator_adjustment", -1_000, 0, None),
    ]
    await customer.holds(deposited=500)
    second = adjustments.adjustment_corrected(
        await books.figures(customer.account), new_id(), D(1_000), reverses=credit.journal_id, reason="Again"
    )
    error = await books.refused(second)
    assert isinstance(error, AlreadyReversed)
    assert str(credit.journal_id) in error.detail


@pytest.mark.parametrize(
    ("redeemed", "share", "profit"),
    [("100", "0.8", "80"), ("0.00000005", "0.5", "0.00000002"), ("0.00000007", "0.5", "0.00000004"), ("3", "1", "3")],
)
async def test_profit_is_approved_at_a_share_and_leaves_the_house(
    customer: Customer, redeemed: str, share: str, profit: str
) -> None:
    """The share rounds half to even; the whole of what is redeemed leaves the virtual balance."""
    books = customer.books
    free = await books.house_funds()
    journal = adjustments.profit_approved(customer.account, new_id(), D(redeemed), D(share))
    await books.post(journal)
    assert await books.shown(journal) == [
        ("profit_approval", "profit", "operator_funds", D(profit), D(profit), None),
        ("profit_approval", "virtual", "virtual_redeemed", -D(redeemed), 10_000 - D(redeemed), None),
    ]
    assert await books.house_funds() == free - D(profit)


async def test_trade_with_commission_and_financing(customer: Customer) -> None:
    books = customer.books
    figures = await books.figures(customer.account)
    closed = trading.trade_closed(
        figures, new_id(), 1, D("12.5"), commission=D("0.5"), financing=D("-0.25"), is_last=True
    )
    assert closed is not None
    await books.post(
        trading.commission_charged(customer.account, new_id(), 1, D("0.75")),
        closed,
        trading.financing_charged(customer.account, new_id(), "2026-01-05", D("0.1")),
    )
    assert await books.shown(closed) == [
        ("trade_pnl", "virtual", "simulated_market", D("12.5"), D("10011.75"), None),
        ("fee", "virtual", "simulated_fees", D("-0.5"), D("10011.25"), None),
        ("financing", "virtual", "simulated_financing", D("-0.25"), D(10_011), None),
    ]
    await customer.holds(deposited=500, virtual="10011.1")


async def test_protection_lifts_to_exactly_zero_and_never_touches_real_money(customer: Customer) -> None:
    """P7: a simulated loss beyond the balance leaves the deposit as it was."""
    books = customer.books
    await books.bind_margin(customer.account, 100)
    position = new_id()
    part = trading.trade_closed(await books.figures(customer.account), position, 1, D(-10_300), is_last=False)
    await books.post(part)
    await customer.holds(deposited=500, virtual=-300)
    await books.post(trading.financing_charged(customer.account, position, "2026-01-05", D("-0.00000001")))
    last = trading.trade_closed(
        await books.figures(customer.account), position, 2, D(-5), commission=D(1), is_last=True
    )
    assert last is not None
    await books.post(last)
    assert (await books.shown(last))[-1] == (
        "protection",
        "virtual",
        "simulated_protection",
        D("306.00000001"),
        0,
        None,
    )
    await customer.holds(deposited=500)
    await books.bind_margin(customer.account, 0)


async def test_a_trade_that_moves_nothing_is_no_journal(customer: Customer) -> None:
    figures = await customer.books.figures(customer.account)
    assert trading.trade_closed(figures, new_id(), 1, D(0), is_last=True) is None


async def test_plan_invested_redeemed_and_charged(customer: Customer) -> None:
    books, investment = customer.books, new_id()
    await books.post(plans.plan_invested(customer.account, investment, 1, D(1_000)))
    await customer.holds(deposited=500, virtual=9_000, allocated=1_000)
    redeemed = plans.plan_redeemed(customer.account, investment, 1, D(400), D("-12.5"))
    await books.post(redeemed, plans.plan_fee_charged(customer.account, investment, "2026-01", D(2)))
    assert await books.shown(redeemed) == [
        ("plan_redemption", "virtual", "allocated", 400, 9_400, 600),
        ("plan_return", "virtual", "simulated_plan_returns", D("-12.5"), D("9387.5"), None),
    ]
    await customer.holds(deposited=500, virtual="9385.5", allocated=600)


async def test_house_money_in_out_costs_and_changes_of_value(either_door: Books) -> None:
    wallet, free = await either_door.wallet(), await either_door.house_funds()
    await either_door.post(
        house.operator_funds_moved(wallet, str(new_id()), D(100)),
        house.operator_funds_moved(wallet, str(new_id()), D(-30)),
        house.network_cost_borne(wallet, str(new_id()), D(5)),
        house.custody_revalued(wallet, str(new_id()), D("-2.5")),
        house.custody_revalued(wallet, str(new_id()), D("0.5")),
    )
    assert await either_door.house_funds() == free + 63
    assert await either_door.wallet_balance(wallet) == 63


async def test_ids_of_journals_follow_from_the_event_alone() -> None:
    account, event, wallet = AccountKey(UUID(int=1), UUID(int=2)), UUID(int=3), UUID(int=4)
    first = deposits.deposit_under_review(account, event, D(1), wallet)
    other = deposits.deposit_under_review(AccountKey(UUID(int=5), UUID(int=6)), event, D(2), UUID(int=7))
    assert first.journal_id == other.journal_id == journal_id("deposit_under_review", event)
    assert str(first.journal_id) == "c98c932d-9862-5ba0-b84a-2779581125d8"
    attempts = {withdrawals.payout_sent(event, attempt, D(1), wallet).journal_id for attempt in (1, 2, 11)}
    assert len(attempts) == 3


@pytest.mark.parametrize("amount", [D(0), D(-1)])
def test_events_of_no_or_negative_size_are_refused(amount: Decimal) -> None:
    account, event, hold = AccountKey(UUID(int=1), UUID(int=2)), UUID(int=3), WithdrawalHold(amount, D(0), D(0))
    attempts: list[Callable[[], object]] = [
        lambda: withdrawals.withdrawal_requested(account, event, hold),
        lambda: withdrawals.withdrawal_released(account, event, 1, hold, why="cancelled"),
        lambda: withdrawals.payout_sent(event, 1, amount, event),
        lambda: withdrawals.payout_failed(event, 1, amount, event),
        lambda: plans.plan_invested(account, event, 1, amount),
        lambda: plans.plan_redeemed(account, event, 1, amount, D(1)),
        lambda: plans.plan_fee_charged(account, event, "2026-01", amount),
        lambda: trading.commission_charged(account, event, 1, amount),
        lambda: adjustments.profit_approved(account, event, amount, D(1)),
        lambda: adjustments.profit_approved(account, event, D(1), amount),
        lambda: house.network_cost_borne(event, "r", amount),
    ]
    for attempt in attempts:
        with pytest.raises(AmountNotPositive, match="positive amount"):
            attempt()
