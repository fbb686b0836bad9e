"""Posting through both doors: every refusal, what is said twice, and batches (LED-1, LED-2, LED-5, LED-6)."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from support.books import Books, Customer, adjusting, adjustment_line

import topcoin
from topcoin.kernel.errors import IdempotencyConflict
from topcoin.kernel.ids import new_id
from topcoin.ledger.chart.domain import Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.errors import REFUSALS, AlreadyReversed, NotCovered
from topcoin.ledger.events import adjustments, deposits, house, plans, trading, withdrawals
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.posting import service
from topcoin.ledger.posting.domain import Journal, Line, PostingStatus, Reference

D = Decimal
POST_SQL = Path(topcoin.__file__).parents[1] / "alembic/sql/0001/21_ledger_post.sql"
POSTED, DUPLICATE, REFUSED = PostingStatus.POSTED, PostingStatus.DUPLICATE, PostingStatus.REFUSED


def lines(*moves: tuple[EntryType, Any, Any, int | str | Decimal]) -> tuple[Line, ...]:
    """Lines without wallets."""
    return tuple(Line(kind, book, contra, D(amount)) for kind, book, contra, amount in moves)


REFERENCES = {
    EntryType.DEPOSIT: ReferenceType.DEPOSIT,
    EntryType.WITHDRAWAL: ReferenceType.WITHDRAWAL,
    EntryType.PLAN_INVESTMENT: ReferenceType.USER_INVESTMENT,
    EntryType.TRADE_PNL: ReferenceType.POSITION,
    EntryType.PLAN_FEE: ReferenceType.USER_INVESTMENT,
}


def moving(account: AccountKey, kind: EntryType, book: Any, contra: Any, amount: int | str | Decimal) -> Journal:  # noqa: ANN401 - any book
    """A journal of one line."""
    return adjusting(
        account, 1, lines=lines((kind, book, contra, amount)), reference=Reference(REFERENCES[kind], "an-event")
    )


@pytest.mark.parametrize(
    ("kind", "book", "contra", "amount", "named"),
    [
        (EntryType.WITHDRAWAL, Book.HOLD, Book.DEPOSITED, "500.00000001", "deposited"),
        (EntryType.WITHDRAWAL, Book.HOLD, Book.PROFIT, "0.00000001", "profit"),
        (EntryType.WITHDRAWAL, Book.HOLD, Book.DEPOSITED, -1, "hold"),
        (EntryType.WITHDRAWAL, Book.VIRTUAL_HOLD, Book.VIRTUAL, -1, "virtual_hold"),
        (EntryType.WITHDRAWAL, Book.VIRTUAL_HOLD, HouseBook.VIRTUAL_CREDIT, -1, "virtual_hold"),
        (EntryType.DEPOSIT, Book.DEPOSITED, Book.REVIEW, 1, "review"),
        (EntryType.TRADE_PNL, Book.VIRTUAL, HouseBook.SIMULATED_MARKET, "-10000.00000001", "virtual"),
        (EntryType.PLAN_FEE, Book.VIRTUAL, HouseBook.SIMULATED_PLAN_FEES, -10_001, "virtual"),
        (EntryType.PLAN_INVESTMENT, Book.ALLOCATED, Book.VIRTUAL, 10_001, "virtual"),
    ],
)
async def test_no_book_ends_below_zero(
    customer: Customer, kind: EntryType, book: Book, contra: Book | HouseBook, amount: int | str, named: str
) -> None:
    """LED-2: the message names the book and says what to do."""
    error = await customer.books.refused(moving(customer.account, kind, book, contra, amount))
    assert error.code == "insufficient_funds"
    assert error.detail == f"the book {named} would end below zero; lower the amount"


async def test_books_are_judged_where_the_journal_ends(customer: Customer) -> None:
    """LED-2: between its lines a journal may pass through less than nothing."""
    await customer.books.post(
        adjusting(customer.account, 1, lines=(adjustment_line(-10_001), adjustment_line(1))),
    )
    await customer.holds(deposited=500)


async def test_virtual_is_negative_only_by_settlements_and_only_while_positions_are_open(customer: Customer) -> None:
    books, account = customer.books, customer.account
    await books.bind_margin(account, 100)
    loss = moving(account, EntryType.TRADE_PNL, Book.VIRTUAL, HouseBook.SIMULATED_MARKET, -10_300)
    await books.post(loss)
    adjustment = adjusting(account, -1)
    assert (await books.refused(adjustment)).detail == "the book virtual would end below zero; lower the amount"
    fee = moving(account, EntryType.PLAN_FEE, Book.VIRTUAL, HouseBook.SIMULATED_PLAN_FEES, -1)
    assert (await books.refused(fee)).code == "insufficient_funds"
    await books.post(adjusting(account, 1))
    await customer.holds(deposited=500, virtual=-299)
    with pytest.raises(IntegrityError, match="virtual_negative_only_with_positions"):
        await books.set_account(account, margin_used=0)
    await books.post(adjusting(account, 299))


async def test_open_positions_bind_what_leaves_the_virtual_balance(customer: Customer) -> None:
    books, account = customer.books, customer.account
    await books.bind_margin(account, 9_700)
    for kind, book in ((EntryType.WITHDRAWAL, Book.VIRTUAL_HOLD), (EntryType.PLAN_INVESTMENT, Book.ALLOCATED)):
        error = await books.refused(moving(account, kind, book, Book.VIRTUAL, "300.00000001"))
        assert error.code == "insufficient_margin"
        assert "close positions" in error.detail
    error = await books.refused(adjustments.profit_approved(account, new_id(), D("300.00000001"), D("0.1")))
    assert error.code == "insufficient_margin"
    await books.post(moving(account, EntryType.PLAN_INVESTMENT, Book.ALLOCATED, Book.VIRTUAL, 300))
    figures = await books.figures(account)
    assert (figures.margin_available, figures.equity, figures.virtual_free) == (0, 9_700, 0)
    await books.bind_margin(account, 0)


@pytest.mark.parametrize("reason", ["frozen", "closed"])
async def test_a_frozen_or_closed_account_starts_nothing_but_everything_else_goes_on(
    customer: Customer, reason: str
) -> None:
    books, account = customer.books, customer.account
    if reason == "frozen":
        await books.set_account(account, is_frozen=True, frozen_reason="Under review")
    else:
        await books.set_account(account, is_active=False)
    error = await books.refused(plans.plan_invested(account, new_id(), 1, D(1)))
    assert error.code == "account_frozen"
    assert "nothing new" in error.detail
    await books.deposit(account, customer.wallet, 10)
    withdrawal, hold = await customer.ask(5)
    figures = await books.figures(account)
    await books.post(
        withdrawals.withdrawal_released(account, withdrawal, 1, hold, why="refused"),
        trading.trade_closed(figures, new_id(), 1, D(-1), is_last=True),
    )


async def test_credit_comes_only_with_a_deposit(customer: Customer) -> None:
    """P3: more credit than the deposit brings would be an adjustment in disguise."""
    books, account = customer.books, customer.account
    alone = moving(account, EntryType.DEPOSIT, Book.VIRTUAL, HouseBook.VIRTUAL_CREDIT, "0.00000001")
    error = await books.refused(alone)
    assert error.code == "credit_exceeds_deposit"
    assert "use an adjustment" in error.detail
    await books.post(deposits.deposit_under_review(account, new_id(), D(50), customer.wallet))
    more = adjusting(
        account,
        1,
        reference=Reference(ReferenceType.DEPOSIT, "d"),
        lines=lines(
            (EntryType.DEPOSIT, Book.DEPOSITED, Book.REVIEW, 50),
            (EntryType.DEPOSIT, Book.VIRTUAL, HouseBook.VIRTUAL_CREDIT, "50.00000001"),
        ),
    )
    assert (await books.refused(more)).code == "credit_exceeds_deposit"


async def test_profit_is_approved_only_out_of_free_operator_money(customer: Customer) -> None:
    """P5: to the last step, and no further."""
    books, account = customer.books, customer.account
    free = await books.house_funds()
    await books.adjust(account, free + 1)
    error = await books.refused(adjustments.profit_approved(account, new_id(), free + D("0.00000001"), D(1)))
    assert isinstance(error, NotCovered)
    assert "fund it first" in error.detail
    await books.post(adjustments.profit_approved(account, new_id(), free, D(1)))
    assert await books.house_funds() == 0
    for journal in (
        house.operator_funds_moved(customer.wallet, str(new_id()), D(-1)),
        house.network_cost_borne(customer.wallet, str(new_id()), D(1)),
        house.custody_revalued(customer.wallet, str(new_id()), D(-1)),
    ):
        assert (await books.refused(journal)).code == "not_covered"


async def test_a_wallet_pays_only_what_it_holds(either_door: Books) -> None:
    rich, poor = await either_door.wallet(100), await either_door.wallet(1)
    error = await either_door.refused(house.operator_funds_moved(poor, str(new_id()), D("-1.00000001")))
    assert error.code == "wallet_overdrawn"
    assert str(poor) in error.detail
    await either_door.post(house.operator_funds_moved(poor, str(new_id()), D(-1)))
    assert (await either_door.wallet_balance(poor), await either_door.wallet_balance(rich)) == (0, 100)


async def test_unknown_wallets_and_accounts_are_refused_by_name(customer: Customer) -> None:
    books, nowhere = customer.books, new_id()
    error = await books.refused(deposits.deposit_under_review(customer.account, new_id(), D(1), nowhere))
    assert error.code == "wallet_not_found"
    assert str(nowhere) in error.detail
    known, unknown = customer.wallet, nowhere
    two = adjusting(
        customer.account,
        1,
        reference=Reference(ReferenceType.DEPOSIT, "d"),
        lines=tuple(
            Line(EntryType.DEPOSIT, Book.REVIEW, HouseBook.CUSTODY, D(1), wallet) for wallet in (known, unknown)
        ),
    )
    assert (await books.refused(two)).code == "wallet_not_found"
    other = await books.account()
    for key in (AccountKey(other.user_id, customer.account.account_id), AccountKey(new_id(), new_id())):
        error = await books.refused(adjusting(key, 1))
        assert error.code == "account_not_found"
        assert "its owner" in error.detail


async def test_a_journal_is_reversed_once_and_on_its_own_account(customer: Customer) -> None:
    books, account = customer.books, customer.account
    original = await books.adjust(account, 5)
    other = await books.account(account.user_id)
    for key, named in ((account, new_id()), (other, original.journal_id)):
        error = await books.refused(adjusting(key, 5, reverses=named))
        assert error.code == "reversed_journal_not_found"
        assert str(named) in error.detail
    first, second = (adjusting(account, -5, reverses=original.journal_id) for _ in range(2))
    one, two = await books.post_all([first, second])
    assert (one.status, two.status) == (POSTED, REFUSED)
    assert isinstance(two.error, AlreadyReversed)
    (again,) = await books.post_all([first])
    assert again == one.__class__(first.journal_id, DUPLICATE, one.entries)


async def test_balances_stay_within_twenty_digits(either_door: Books) -> None:
    most = D("99999999999999999999.99999999")
    account = await either_door.account()
    await either_door.post(adjusting(account, most))
    beyond, fine = adjusting(account, "0.00000001"), adjusting(account, -most)
    refused, posted = await either_door.post_all([beyond, fine])
    assert (refused.status, posted.status) == (REFUSED, POSTED)
    assert refused.error is not None
    assert refused.error.code == "balance_out_of_range"
    through = adjusting(account, 1, lines=(adjustment_line(most), adjustment_line(1), adjustment_line(-most)))
    assert (await either_door.refused(through)).code == "balance_out_of_range"


async def test_figures_that_follow_from_balances_stay_within_range_too(either_door: Books) -> None:
    """Equity is virtual and virtual_hold together: it can be too much where neither is."""
    account, other, wallet = await either_door.account(), await either_door.account(), await either_door.wallet()
    most = D(9) * 10**19
    await either_door.deposit(account, wallet, most)
    await Customer(either_door, account, wallet).ask(most)
    refused, posted = await either_door.post_all([adjusting(account, most), adjusting(other, 1)])
    assert posted.status is POSTED
    assert refused.error is not None
    assert refused.error.code == "balance_out_of_range"
    error = await either_door.refused(deposits.deposit_under_review(other, new_id(), most, wallet))
    assert error.code == "balance_out_of_range"


def test_the_codes_of_the_database_are_those_that_are_explained() -> None:
    found = re.findall(r"codes?(?:\[\w+\])? := (?:coalesce\(code, )?'(\w+)'", POST_SQL.read_text())
    assert {*found, "idempotency_conflict"} == set(REFUSALS)


# -- Said twice --------------------------------------------------------------------------------------------------------


async def test_the_same_journal_again_gives_the_first_result(customer: Customer) -> None:
    """LED-5."""
    books = customer.books
    journal = adjusting(customer.account, 7, lines=(adjustment_line(7), adjustment_line(8)))
    (first,) = await books.post_all([journal])
    await books.adjust(customer.account, 1)
    before = await books.state()
    (again,) = await books.post_all([journal])
    assert again == first.__class__(journal.journal_id, DUPLICATE, first.entries)
    assert await books.state() == before


async def test_the_same_id_with_other_content_is_refused(customer: Customer) -> None:
    """LED-5: on the same account, and on another of the same customer's."""
    books = customer.books
    journal = adjusting(customer.account, 7)
    await books.post(journal)
    other = await books.account(customer.account.user_id)
    for changed in (
        adjusting(customer.account, 8, journal_id=journal.journal_id),
        adjusting(customer.account, 7, journal_id=journal.journal_id, description="Another"),
        adjusting(other, 7, journal_id=journal.journal_id),
    ):
        error = await books.refused(changed)
        assert isinstance(error, IdempotencyConflict)
        assert "needs a new id" in error.detail
    stranger = await books.account()
    await books.post(adjusting(stranger, 7, journal_id=journal.journal_id))


async def test_the_same_id_twice_within_one_batch(customer: Customer) -> None:
    first = adjusting(customer.account, 7)
    other = adjusting(customer.account, 8, journal_id=first.journal_id)
    results = await customer.books.post_all([first, first, other, first])
    assert [result.status for result in results] == [POSTED, DUPLICATE, REFUSED, DUPLICATE]
    assert results[1].entries == results[3].entries == results[0].entries
    assert isinstance(results[2].error, IdempotencyConflict)


async def test_a_refused_journal_burns_no_id(customer: Customer) -> None:
    """LED-5: refused, then accepted under the same id, later and within one batch."""
    books, account = customer.books, customer.account
    taken = adjusting(account, -10_005)
    assert (await books.refused(taken)).code == "insufficient_funds"
    results = await books.post_all([taken, adjusting(account, 5), taken, taken])
    assert [result.status for result in results] == [REFUSED, POSTED, POSTED, DUPLICATE]
    await customer.holds(deposited=500)


async def test_one_bad_journal_leaves_the_others_of_its_batch_alone(customer: Customer) -> None:
    books, other = customer.books, await customer.books.account()
    batch = [
        adjusting(customer.account, 1),
        adjusting(customer.account, -20_000, lines=(adjustment_line(5), adjustment_line(-20_000))),
        adjusting(other, 2),
        adjusting(AccountKey(new_id(), new_id()), 3),
        adjusting(customer.account, 4),
    ]
    results = await books.post_all(batch)
    assert [result.status for result in results] == [POSTED, REFUSED, POSTED, REFUSED, POSTED]
    assert [result.journal_id for result in results] == [journal.journal_id for journal in batch]
    sequences = [entry.sequence for result in results for entry in result.entries]
    assert sequences == [4, 1, 5]
    await customer.holds(deposited=500, virtual=10_005)


async def test_an_empty_batch_is_answered_with_nothing(either_door: Books) -> None:
    assert await either_door.post_all([]) == []


async def test_the_same_id_on_two_accounts_at_once_posts_one(either_door: Books) -> None:
    """LED-5: at the same moment one posts; the other hears that the id was used, or collides and changes nothing."""
    account = await either_door.account()
    other = await either_door.account(account.user_id)
    for _ in range(5):
        shared = new_id()
        answers = await asyncio.gather(
            *(either_door.post_all([adjusting(key, 1, journal_id=shared)]) for key in (account, other)),
            return_exceptions=True,
        )
        posted = [a for a in answers if not isinstance(a, BaseException) and a[0].status is POSTED]
        assert len(posted) == 1
        for answer in answers:
            if isinstance(answer, BaseException):
                assert isinstance(answer, IntegrityError)
            elif answer[0].status is not POSTED:
                assert isinstance(answer[0].error, IdempotencyConflict)
    total = sum([(await either_door.figures(key)).virtual for key in (account, other)])
    assert total == 5


async def test_the_same_journal_at_once_posts_once_and_answers_alike(either_door: Books) -> None:
    account = await either_door.account()
    journal = adjusting(account, 1)
    results = [result for (result,) in await asyncio.gather(*(either_door.post_all([journal]) for _ in range(6)))]
    assert sorted(result.status for result in results) == [DUPLICATE] * 5 + [POSTED]
    assert len({result.entries for result in results}) == 1


async def test_batches_longer_than_a_call_are_cut_and_stay_in_order(
    either_door: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LINES_PER_CALL_MAX", 7)
    account, other = await either_door.account(), await either_door.account()
    batch = [
        adjusting(account if number % 3 else other, 1, lines=(adjustment_line(number + 1),) * (number % 4 + 1))
        for number in range(20)
    ]
    assert [len(run) <= 7 for run in service._runs(batch)] == [True] * len(list(service._runs(batch)))
    results = await either_door.post_all(batch)
    assert all(result.status is POSTED for result in results)
    for key in (account, other):
        sequences = [
            entry.sequence
            for journal, result in zip(batch, results, strict=True)
            for entry in result.entries
            if journal.account_id == key.account_id
        ]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_a_batch_beyond_the_real_limit_of_a_call(either_door: Books) -> None:
    account = await either_door.account()
    journals = service.LINES_PER_CALL_MAX // 100 + 3
    batch = [adjusting(account, 1, lines=(adjustment_line(1),) * 100) for _ in range(journals)]
    results = await either_door.post_all(batch)
    assert [result.entries[-1].sequence for result in results] == [100 * n for n in range(1, journals + 1)]
    assert (await either_door.figures(account)).virtual == 100 * journals
