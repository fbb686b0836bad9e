"""Accounts, breakdowns, entries and statements over HTTP: exact, apart by kind of money, and nobody else's."""

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response
from support.books import new_wallet
from support.factories import NOW, make_account
from support.http import People, Signed

from topcoin.http.routing import Router
from topcoin.infra.database.connect import SessionFactory
from topcoin.kernel.ids import new_id
from topcoin.ledger import customer_routes, staff_routes
from topcoin.ledger.accounts.service import lock_figures
from topcoin.ledger.chart.domain import HOUSE_ID
from topcoin.ledger.events import adjustments, deposits, house, withdrawals
from topcoin.ledger.events.composing import AccountKey
from topcoin.ledger.events.withdrawals import WithdrawalHold
from topcoin.ledger.posting.service import post
from topcoin.ledger.statements import service as statements

pytest_plugins = ["support.application"]

FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def http_routers() -> list[Router]:
    return [customer_routes.router, staff_routes.router]


@dataclass(frozen=True)
class Reader:
    """Somebody who reads over HTTP."""

    client: AsyncClient
    who: Signed

    async def get(self, path: str, **query: str | int) -> Response:
        """Whatever the answer is."""
        return await self.client.get(f"/api/v1/{path}", params=query, headers=self.who.by_session)

    async def read(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """A document."""
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def account_id(people: People, sessions: SessionFactory) -> UUID:
    """Ada's account."""
    async with sessions.begin() as session:
        return (await make_account(session, user_id=people.ada.user_id)).account_id


@pytest.fixture
async def ada(client: AsyncClient, people: People, sessions: SessionFactory, account_id: UUID) -> Reader:
    """Ada, who has deposited 500, was given 9,500, and has asked for 120 of her money."""
    account = AccountKey(people.ada.user_id, account_id)
    async with sessions.begin() as session:
        wallet_id = await new_wallet(session)
        figures = await lock_figures(session, account.user_id, account.account_id)
        given = adjustments.balance_adjusted(account, new_id(), Decimal(9500), kind="equity_adjustment", reason=FORMULA)
        hold = WithdrawalHold(profit=Decimal(0), deposit=Decimal(120), virtual=Decimal(120))
        journals = [
            house.operator_funds_moved(wallet_id, "receipt", Decimal(1000)),
            deposits.deposit_credited(figures, new_id(), Decimal(500), wallet_id),
            given,
            withdrawals.withdrawal_requested(account, new_id(), hold),
        ]
        for result in await post(session, journals, now=NOW):
            result.unwrap()
    return Reader(client, people.ada)


# -- Accounts --------------------------------------------------------------------------------------------------------


async def test_an_account_shows_real_and_simulated_money_apart(ada: Reader, account_id: UUID) -> None:
    """P1: no field adds the two up, and the simulated one says what it is."""
    account = await ada.read(f"accounts/{account_id}")
    assert account["id"] == str(account_id)
    assert account["user_id"] == str(ada.who.user_id)
    assert (account["is_frozen"], account["position_mode"]) == (False, "netting")
    assert account["real"] == {
        "currency": "USD",
        "deposited": "380.00000000",
        "approved_profit": "0.00000000",
        "under_review": "0.00000000",
        "on_hold": "120.00000000",
        "withdrawable": "380.00000000",
    }
    assert account["simulated"] == {
        "currency": "VUSD",
        "label": "simulated",
        "balance": "9880.00000000",
        "on_hold": "120.00000000",
        "allocated": "0.00000000",
        "equity": "10000.00000000",
        "margin_used": "0.00000000",
        "margin_available": "9880.00000000",
    }
    money = {name for name, value in account.items() if isinstance(value, dict)}
    assert money == {"real", "simulated"}
    assert {name for name, value in account.items() if isinstance(value, str) and "." in value} == set()


async def test_accounts_are_paged(ada: Reader, sessions: SessionFactory, account_id: UUID) -> None:
    async with sessions.begin() as session:
        further = [await make_account(session, user_id=ada.who.user_id) for _ in range(2)]
    first = await ada.read("accounts", limit=2)
    second = await ada.read("accounts", limit=2, cursor=first["next_cursor"])
    found = [each["id"] for page in (first, second) for each in page["items"]]
    assert sorted(found) == sorted(map(str, [account_id, *(key.account_id for key in further)]))
    assert second["next_cursor"] is None
    refused = await ada.get("accounts", cursor="WyJubyBpZCJd")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_cursor")


# -- Breakdown -------------------------------------------------------------------------------------------------------


async def test_each_list_of_the_breakdown_adds_up_to_its_balance(ada: Reader, account_id: UUID) -> None:
    """P2."""
    account = await ada.read(f"accounts/{account_id}")
    breakdown = await ada.read(f"accounts/{account_id}/breakdown")
    compared = 0
    for money in ("real", "simulated"):
        for name, amounts in breakdown[money].items():
            if isinstance(amounts, list):
                assert sum(Decimal(each["amount"]) for each in amounts) == Decimal(account[money][name]), name
                compared += 1
    assert compared == 7, "every book"
    assert breakdown["simulated"]["balance"] == [
        {"source": "deposits", "amount": "500.00000000"},
        {"source": "withdrawals", "amount": "-120.00000000"},
        {"source": "operator_adjustments", "amount": "9500.00000000"},
    ]
    origins = breakdown["simulated"]["balance_by_origin"]
    assert origins == {"given": "9880.00000000", "earned": "0.00000000", "plans": "0.00000000"}


# -- Entries ---------------------------------------------------------------------------------------------------------


async def test_entries_come_newest_first_with_what_caused_them(ada: Reader, account_id: UUID) -> None:
    items = (await ada.read(f"accounts/{account_id}/ledger"))["items"]
    assert [each["sequence"] for each in items] == [5, 4, 3, 2, 1]
    adjustment = items[2]
    assert adjustment["metadata"] == {"adjustment_type": "equity_adjustment", "reason": FORMULA}
    wanted = {
        "entry_type": "admin_adjustment",
        "book": "virtual",
        "contra": "operator_adjustment",
        "unit": "VUSD",
        "money": "simulated",
        "amount": "9500.00000000",
        "balance_after": "10000.00000000",
        "created_at": "2026-01-05T09:00:00Z",
    }
    assert adjustment.items() >= wanted.items()
    assert adjustment["reference"]["type"] == "admin_adjustment"
    assert len(bytes.fromhex(adjustment["entry_hash"])) == 32
    assert {each["money"] for each in items} == {"real", "simulated"}


async def test_pages_do_not_shift_when_something_is_posted(
    ada: Reader, sessions: SessionFactory, account_id: UUID
) -> None:
    first = await ada.read(f"accounts/{account_id}/ledger", limit=2)
    account = AccountKey(ada.who.user_id, account_id)
    async with sessions.begin() as session:
        journal = adjustments.balance_adjusted(account, new_id(), Decimal(1), kind="bonus", reason="Welcome")
        (await post(session, [journal], now=NOW))[0].unwrap()
    second = await ada.read(f"accounts/{account_id}/ledger", limit=2, cursor=first["next_cursor"])
    third = await ada.read(f"accounts/{account_id}/ledger", limit=2, cursor=second["next_cursor"])
    assert [each["sequence"] for page in (first, second, third) for each in page["items"]] == [5, 4, 3, 2, 1]
    assert third["next_cursor"] is None


async def test_a_book_shows_what_touches_it_on_either_side(ada: Reader, account_id: UUID) -> None:
    items = (await ada.read(f"accounts/{account_id}/ledger", book="deposited"))["items"]
    assert [(each["book"], each["contra"]) for each in items] == [("hold", "deposited"), ("deposited", "custody")]
    refused = await ada.get(f"accounts/{account_id}/ledger", book="custody")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


# -- Statements ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", ["2026", "2026-01", "2026-01-05..2026-01-05"])
async def test_a_statement_ties_out(ada: Reader, account_id: UUID, period: str) -> None:
    statement = await ada.read(f"accounts/{account_id}/statements/{period}")
    account = await ada.read(f"accounts/{account_id}")
    assert statement["simulated"]["label"] == "simulated"
    books = {each["book"]: each for money in ("real", "simulated") for each in statement[money]["books"]}
    assert [each["book"] for each in statement["real"]["books"]] == ["deposited", "profit", "review", "hold"]
    for book in books.values():
        running = Decimal(book["opening_balance"])
        for line in book["lines"]:
            running += Decimal(line["amount"])
            assert Decimal(line["balance_after"]) == running
        assert Decimal(book["closing_balance"]) == running
        assert Decimal(book["opening_balance"]) + Decimal(book["total"]) == running
    assert books["deposited"]["closing_balance"] == account["real"]["deposited"]
    assert books["virtual"]["closing_balance"] == account["simulated"]["balance"]
    assert sum(len(book["lines"]) for book in books.values()) == 7


async def test_a_later_statement_opens_where_the_earlier_one_closed(ada: Reader, account_id: UUID) -> None:
    statement = await ada.read(f"accounts/{account_id}/statements/2026-02")
    (deposited, *_) = statement["real"]["books"]
    assert deposited == {
        "book": "deposited",
        "opening_balance": "380.00000000",
        "total": "0.00000000",
        "closing_balance": "380.00000000",
        "lines": [],
    }


async def test_the_csv_says_of_each_line_which_money_it_is(ada: Reader, account_id: UUID) -> None:
    answer = await ada.get(f"accounts/{account_id}/statements/2026-01.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith(f'statement-{account_id}-2026-01.csv"')
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(each["money"], each["currency"]) for each in lines} == {("real", "USD"), ("simulated", "VUSD")}
    for book in {each["book"] for each in lines}:
        opening, *entries, closing = [each for each in lines if each["book"] == book]
        assert (opening["line"], closing["line"]) == ("opening", "closing")
        moved = sum(Decimal(each["amount"]) for each in entries)
        assert Decimal(opening["balance"]) + moved == Decimal(closing["balance"])
        if entries:
            assert entries[-1]["balance"] == closing["balance"]


async def test_no_cell_of_the_csv_is_a_formula(ada: Reader, account_id: UUID) -> None:
    answer = await ada.get(f"accounts/{account_id}/statements/2026-01.csv")
    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert f"'{FORMULA}" in cells
    for cell in cells:
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))
        assert not cell.startswith("-") or Decimal(cell) < 0


@pytest.mark.parametrize(
    "period", ["1999", "2026-13", "2026-1", "2026-02-30..2026-03-01", "2026-01-02..2026-01-01", "9999", "x", "2026.pdf"]
)
async def test_a_period_that_is_none_is_refused(ada: Reader, account_id: UUID, period: str) -> None:
    for suffix in ("", ".csv"):
        answer = await ada.get(f"accounts/{account_id}/statements/{period}{suffix}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_period")


async def test_a_statement_of_too_many_entries_is_refused(
    ada: Reader, account_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "ENTRIES_MAX", 4)
    answer = await ada.get(f"accounts/{account_id}/statements/2026-01")
    assert (answer.status_code, answer.json()["code"]) == (409, "statement_too_long")


# -- Whose ------------------------------------------------------------------------------------------------------------

PATHS = ["", "/breakdown", "/ledger", "/statements/2026-01", "/statements/2026-01.csv"]


@pytest.mark.parametrize("path", PATHS)
async def test_another_customers_account_is_like_one_that_is_not_there(
    ada: Reader, people: People, account_id: UUID, path: str
) -> None:
    """The same call by its owner succeeds; by another the answer tells nothing, not even that the account exists."""
    assert (await ada.get(f"accounts/{account_id}{path}")).status_code == 200
    ben = Reader(ada.client, people.ben)
    others, absent = [await ben.get(f"accounts/{each}{path}") for each in (account_id, new_id())]
    assert others.status_code == absent.status_code == 404
    said = [{key: value for key, value in each.json().items() if key != "request_id"} for each in (others, absent)]
    assert said[0] == said[1]
    assert said[0]["code"] == "account_not_found"


@pytest.mark.parametrize("path", PATHS)
async def test_signed_out_is_refused(client: AsyncClient, account_id: UUID, path: str) -> None:
    answer = await client.get(f"/api/v1/accounts/{account_id}{path}")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_an_auditor_reads_any_account_and_the_houses(ada: Reader, people: People, account_id: UUID) -> None:
    auditor = Reader(ada.client, people.auditor)
    assert await auditor.read(f"staff/accounts/{account_id}") == await ada.read(f"accounts/{account_id}")
    seen = await auditor.read("staff/ledger", account_id=str(account_id), limit=3)
    assert seen == await ada.read(f"accounts/{account_id}/ledger", limit=3)
    (funding,) = (await auditor.read("staff/ledger", account_id=str(HOUSE_ID)))["items"]
    assert (funding["entry_type"], funding["amount"], funding["balance_after"]) == (
        "operator_funding",
        "1000.00000000",
        None,
    )
    absent = await auditor.get("staff/ledger", account_id=str(new_id()))
    assert (absent.status_code, absent.json()["code"]) == (404, "account_not_found")


@pytest.mark.parametrize("path", ["staff/accounts/{}", "staff/ledger?account_id={}"])
async def test_a_customer_reads_nothing_as_staff(ada: Reader, account_id: UUID, path: str) -> None:
    answer = await ada.client.get(f"/api/v1/{path.format(account_id)}", headers=ada.who.by_session)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


@pytest.mark.parametrize("path", PATHS)
async def test_staff_have_no_account_of_their_own(ada: Reader, people: People, account_id: UUID, path: str) -> None:
    answer = await Reader(ada.client, people.auditor).get(f"accounts/{account_id}{path}")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
