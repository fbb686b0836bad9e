"""Exports, judged by others' means: the hash chain recomputed from the file alone, and Beancount's own checks."""

import asyncio
import csv
import hashlib
import io
import json
import re
import stat
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from beancount import loader
from beancount.core.data import Balance, Transaction
from support.journal_lines import HOUSE, JsonObject, deposit, journal, new_account, post, topcoin

from topcoin.infra import settings as infra_settings
from topcoin.infra.database.connect import Role, create_engine_for, database_url, session_factory
from topcoin.infra.database.unit_of_work import read_transaction
from topcoin.infra.settings import Settings
from topcoin.ledger.export.domain import ExportFormat
from topcoin.ledger.export.errors import FileUnwritable
from topcoin.ledger.export.files import whole_text_file
from topcoin.ledger.export.service import export_ledger

AWKWARD = 'He said: "5 % off", C:\\new\\table;\r\n\ttwo lines \u2028 é 日本 😀 \x07 #tag ^link'


@pytest.fixture(autouse=True)
def _on_this_database(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra_settings, "current_settings", lambda: database)


def fill_books() -> list[JsonObject]:
    """Post journals of every kind of book, on two accounts and the house; what was posted."""
    ada, bob = new_account("ada@example.com"), new_account("bob@example.com")
    trade = journal(ada, "trade_pnl", "position", ("virtual", "simulated_market", "-12.34567891"))
    journals = [
        journal(HOUSE, "operator_funding", "wallet", ("operator_funds", "custody", "1000")),
        deposit(ada, "500.00000001", description=AWKWARD, metadata={"é": [1e21, 0.1, "\u2028"], "A": None}),
        journal(ada, "admin_adjustment", "admin_adjustment", ("virtual", "operator_adjustment", "9500")),
        trade,
        journal(
            ada, "trade_pnl", "position", ("virtual", "simulated_market", "12.34567891"), reverses=trade["journal_id"]
        ),
        journal(ada, "plan_investment", "user_investment", ("allocated", "virtual", "250")),
        journal(
            ada,
            "profit_approval",
            "admin_adjustment",
            ("profit", "operator_funds", "40"),
            ("virtual", "virtual_redeemed", "-50"),
        ),
        journal(ada, "withdrawal", "withdrawal", ("hold", "profit", "40"), ("hold", "deposited", "60")),
        journal(HOUSE, "payout", "withdrawal", ("payouts_in_transit", "custody", "-80")),
        journal(ada, "withdrawal", "withdrawal", ("hold", "payouts_in_transit", "-80")),
        journal(ada, "processing_fee", "withdrawal", ("hold", "processing_fees", "-1")),
        journal(HOUSE, "network_fee", "wallet", ("network_fees", "custody", "-3")),
        journal(HOUSE, "valuation", "wallet", ("valuation", "custody", "-0.5")),
        journal(HOUSE, "unmatched_receipt", "ipn_event", ("unallocated", "custody", "30")),
        journal(bob, "deposit", "deposit", ("review", "unallocated", "20")),
    ]
    with_margin(ada)
    assert [(result["status"], result["detail"]) for result in post(*journals)] == [("posted", None)] * len(journals)
    return journals


def with_margin(account_id: str) -> None:
    """Let trading say that all of the virtual balance is free."""
    execute(Role.APP, "UPDATE accounts SET margin_available = 100000 WHERE id = %s", account_id)


def execute(role: Role, statement: str, *parameters: object) -> None:
    with psycopg.connect(database_url(infra_settings.current_settings(), role)) as connection:
        connection.execute(statement.encode(), parameters)


def exported(file: Path, export_format: str) -> str:
    outcome = topcoin("ledger", "export", "--format", export_format, "--out", str(file))
    assert outcome.status == 0, outcome.err
    return file.read_bytes().decode()


def errors_of(books: str) -> list[str]:
    """What Beancount finds wrong."""
    _, errors, _ = loader.load_string(books)
    return [error.message for error in errors]


# -- Beancount -----------------------------------------------------------------------------------------------------


def test_bean_check_passes_on_every_kind_of_book(tmp_path: Path) -> None:
    journals = fill_books()
    books = tmp_path / "books.beancount"
    text = exported(books, "beancount")
    checked = subprocess.run(  # noqa: S603 - the program of our own requirements
        [Path(sys.executable).with_name("bean-check"), "--no-cache", books], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    entries, _, _ = loader.load_string(text)
    transactions = [entry for entry in entries if isinstance(entry, Transaction)]
    assert {each.meta["journal"]: each.narration for each in transactions} == {
        each["journal_id"]: each["description"] for each in journals
    }
    assert {each.meta["reverses"] for each in transactions if "reverses" in each.meta} == {journals[3]["journal_id"]}


def test_every_account_book_and_wallet_is_asserted(tmp_path: Path) -> None:
    fill_books()
    new_account("empty@example.com")
    entries, _, _ = loader.load_string(exported(tmp_path / "b", "beancount"))
    asserted = defaultdict[str, list[str]](list)
    for entry in entries:
        if isinstance(entry, Balance):
            asserted[":".join(entry.account.split(":")[:2])].append(str(entry.amount))
    customers, simulated = asserted["Liabilities:Customers"], asserted["Equity:Simulated"]
    assert len(customers) == 3 * 4
    assert len(simulated) == 3 * 3 + 10 + 1
    assert sorted(amount for amount in customers if amount != "0.00000000 USD") == [
        "-19.00000000 USD",
        "-20.00000000 USD",
        "-440.00000001 USD",
    ]
    assert len(asserted["Assets:Custody"]) == 2
    assert sorted(asserted["Equity:HouseFunds"]) == [
        "-956.50000000 USD",
        "-960.00000000 USD",
        "0.00000000 USD",
        "0.50000000 USD",
        "3.00000000 USD",
    ]


def test_real_and_simulated_money_never_share_an_account_or_a_transaction_leg(tmp_path: Path) -> None:
    """P1, as an accountant sees it."""
    fill_books()
    entries, errors, _ = loader.load_string(exported(tmp_path / "b", "beancount"))
    assert errors == []
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                assert posting.units is not None
                is_simulated = posting.account.startswith("Equity:Simulated:")
                assert posting.units.currency == ("VUSD" if is_simulated else "USD")


def plus_a_step(amount: re.Match[str]) -> str:
    return f"{amount[1]}{int(amount[2]) + 1} "


@pytest.mark.parametrize(
    "line",
    [
        r"(  Liabilities:Customers:\S+:Deposited -500\.0000000)(\d) ",
        r"(  Assets:Custody:\S+ 500\.0000000)(\d) ",
        r"(  Equity:Simulated:Customers:\S+:Virtual -9500\.0000000)(\d) ",
        r"( balance Liabilities:Customers:\S+:Hold -19\.0000000)(\d) ",
        r"( balance Equity:Simulated:Customers:\S+:Allocated -250\.0000000)(\d) ",
        r"( balance Assets:Custody:\S+ 1446\.5000000)(\d) ",
        r"( balance Equity:HouseFunds -956\.5000000)(\d) ",
        r"( balance Equity:Simulated:House:OperatorAdjustment 9500\.0000000)(\d) ",
    ],
)
def test_one_step_of_difference_fails_the_check(tmp_path: Path, line: str) -> None:
    fill_books()
    text = exported(tmp_path / "b", "beancount")
    assert errors_of(text) == []
    changed, count = re.subn(line, plus_a_step, text, count=1)
    assert count == 1, text
    assert errors_of(changed)


def test_a_transfer_left_out_fails_the_check(tmp_path: Path) -> None:
    """Both legs are missing, so that only the asserted balances can tell."""
    fill_books()
    text = exported(tmp_path / "b", "beancount")
    postings = re.search(r"  Equity:\S+:Virtual -9500.*\n  Equity:\S+ 9500.*\n", text)
    assert postings is not None
    assert any("Balance failed" in error for error in errors_of(text.replace(postings[0], "")))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE accounts SET deposited_amount = deposited_amount + 0.00000001 WHERE deposited_amount > 0",
        "UPDATE accounts SET virtual_balance = virtual_balance - 0.00000001 WHERE virtual_balance > 0",
        "UPDATE wallets SET balance = balance + 0.00000001",
        "UPDATE house_funds SET balance = balance + 0.00000001",
    ],
)
def test_a_cache_that_differs_from_the_entries_fails_the_check(tmp_path: Path, tampering: str) -> None:
    fill_books()
    execute(Role.OWNER, tampering)
    assert any("Balance failed" in error for error in errors_of(exported(tmp_path / "b", "beancount")))


def test_books_without_entries_pass(tmp_path: Path) -> None:
    new_account()
    assert errors_of(exported(tmp_path / "b", "beancount")) == []


def test_entries_older_than_their_account_pass(tmp_path: Path) -> None:
    """A demonstration's clock may have opened the account later than it dates the account's events."""
    account = new_account()
    post(deposit(account))
    execute(Role.OWNER, "UPDATE accounts SET created_at = created_at + interval '40 days'")
    assert errors_of(exported(tmp_path / "b", "beancount")) == []


# -- CSV and JSON lines ----------------------------------------------------------------------------------------------


def rows_of(text: str, export_format: str) -> list[dict[str, Any]]:
    if export_format == "jsonl":
        return [json.loads(line) for line in text.removesuffix("\n").split("\n")]
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: value or None for name, value in row.items()} for row in rows]


def chain_breaks(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Recompute the chain as docs/reference/ledger-chain.md has it, with nothing of TopCoin's."""
    order = (
        *("user_id", "account_id", "journal_id", "created_at", "description", "reference_type", "reference_id"),
        *("metadata", "reverses", "content_hash", "sequence", "line_no", "entry_type", "unit", "book", "contra"),
        *("amount", "balance_after", "contra_balance_after", "wallet_id"),
    )
    heads: defaultdict[str, bytes] = defaultdict(lambda: bytes(32))
    breaks: list[str] = []
    for row in rows:
        form = json.dumps(
            ["topcoin/ledger-entry/1", *(row[name] for name in order)], ensure_ascii=False, separators=(",", ":")
        )
        heads[row["account_id"]] = hashlib.sha256(heads[row["account_id"]] + form.encode()).digest()
        if heads[row["account_id"]].hex() != row["entry_hash"]:
            breaks.append(form)
    return breaks


@pytest.mark.parametrize("export_format", ["csv", "jsonl"])
def test_the_chain_can_be_recomputed_from_the_file_alone(tmp_path: Path, export_format: str) -> None:
    journals = fill_books()
    rows = rows_of(exported(tmp_path / "f", export_format), export_format)
    assert len(rows) == sum(len(each["lines"]) for each in journals)
    assert len(rows[0]) == 21
    assert chain_breaks(rows) == []
    awkward = [row for row in rows if row["description"] == AWKWARD]
    assert [row["metadata"] for row in awkward] == ['{"A":null,"é":[1e+21,0.1,"\u2028"]}'] * 2
    awkward[0]["amount"] = "500.00000002"
    assert chain_breaks(rows)


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    fill_books()
    as_csv, as_json = (rows_of(exported(tmp_path / kind, kind), kind) for kind in ("csv", "jsonl"))
    assert as_csv == as_json
    assert {name for row in as_json for name, value in row.items() if value is None} == {
        "balance_after",
        "contra_balance_after",
        "wallet_id",
        "reverses",
        "content_hash",
    }


# -- Snapshot and files ----------------------------------------------------------------------------------------------


async def test_an_export_sees_one_moment(database: Settings) -> None:
    account = await asyncio.to_thread(new_account)
    await asyncio.to_thread(post, deposit(account, "1"))
    engine = create_engine_for(database, Role.READ)
    async with read_transaction(session_factory(engine)) as session:
        first = io.StringIO()
        await export_ledger(session, ExportFormat.BEANCOUNT, first)
        await asyncio.to_thread(post, deposit(account, "2"))
        again = io.StringIO()
        await export_ledger(session, ExportFormat.BEANCOUNT, again)
    await engine.dispose()
    assert again.getvalue() == first.getvalue()


def test_the_read_role_suffices_and_the_summary_counts(tmp_path: Path) -> None:
    journals = fill_books()
    file = tmp_path / "entries.csv"
    outcome = topcoin("ledger", "export", "--format", "csv", "--out", str(file), "--json")
    assert outcome.lines == [
        {
            "format": "csv",
            "file": str(file),
            "journals": len(journals),
            "entries": sum(len(each["lines"]) for each in journals),
        }
    ]
    to_stdout = topcoin("ledger", "export", "--format", "csv", "--out", "-", "--json")
    assert to_stdout.out_bytes == file.read_bytes()
    assert json.loads(to_stdout.err)["journals"] == len(journals)


def test_a_file_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "books"
    file.write_text("old")

    def fail() -> None:
        with whole_text_file(file) as out:
            out.write("new" * 100_000)
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail()
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["books"]


def test_a_file_is_written_through_a_link_and_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "books")
    with whole_text_file(tmp_path / "link") as out:
        out.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "books").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "books").stat().st_mode) == 0o600


def test_a_device_stays_a_device() -> None:
    with whole_text_file(Path("/dev/null")) as out:
        out.write("new")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", [".", "missing/books", "a" * 300])
def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileUnwritable, match=r"is a folder|cannot be written"), whole_text_file(tmp_path / name):
        pytest.fail("nothing can be written there")
