"""`verify` finds nothing in sound books, and names what was done to unsound ones (LED-1 to LED-6)."""

# ruff: noqa: S608 - every statement is the test's own

import tracemalloc
from collections.abc import Generator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from support.books import Books, adjusting, adjustment_line

from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings
from topcoin.kernel.ids import new_id
from topcoin.ledger.chain.domain import Entry, canonical_stored_metadata, chain_hash
from topcoin.ledger.chart.domain import HOUSE_ID
from topcoin.ledger.checking import repository
from topcoin.ledger.checking import service as checking
from topcoin.ledger.checking.domain import Problem
from topcoin.ledger.checking.service import VerificationReport, verify
from topcoin.ledger.events import trading
from topcoin.ledger.events.composing import AccountKey

D = Decimal
EARLIER = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Sound:
    """Books with a customer of seven entries, a bystander, and money of the house's; and ways to harm them."""

    def __init__(self, settings: Settings, account: AccountKey, bystander: AccountKey, wallet: UUID) -> None:
        self.settings = settings
        self.account = account
        self.bystander = bystander
        self.wallet = wallet

    def verify(self) -> VerificationReport:
        """Recompute everything as the read-only role."""
        return verify(database_url(self.settings, Role.READ))

    def harm(self, statement: str, *, without: tuple[str, ...] = ()) -> None:
        """Run a statement as the owner with the triggers off, and the constraints named dropped."""
        with psycopg.connect(database_url(self.settings, Role.OWNER)) as connection:
            connection.execute("ALTER TABLE ledger_entries DISABLE TRIGGER append_only")
            for constraint in without:
                connection.execute(f"ALTER TABLE ledger_entries DROP CONSTRAINT {constraint}".encode())
            parameters = {"account": self.account.account_id, "other": self.bystander.account_id, "wallet": self.wallet}
            assert connection.execute(statement.encode(), parameters).rowcount > 0
            connection.execute("ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER append_only")

    def found(self) -> set[tuple[str, int | None]]:
        """The invariants broken on the customer's account, with the sequence; none may be on the bystander's."""
        problems = self.verify().problems
        assert all(problem.account_id != self.bystander.account_id for problem in problems)
        return {(p.invariant, p.sequence) for p in problems if p.account_id == self.account.account_id}


@pytest.fixture
async def sound(database: Settings) -> Sound:
    """Sound books in a database of their own."""
    async with Books.open(database) as books:
        books.now = EARLIER
        account, bystander, wallet = await books.account(), await books.account(), await books.wallet(1_000)
        await books.deposit(account, wallet, 500)
        await books.adjust(account, 100)
        loss = trading.trade_closed(await books.figures(account), new_id(), 1, D(-30), commission=D(1), is_last=True)
        await books.post(loss, adjusting(account, 5, metadata={"note": "é", "n": 1e21}), adjusting(account, 6))
        await books.adjust(bystander, 50)
        assert (await books.figures(account)).entry_count == 7
    return Sound(database, account, bystander, wallet)


def test_sound_books_verify(sound: Sound) -> None:
    report = sound.verify()
    assert report.ok
    assert (report.accounts, report.entries, report.problems, report.further_problems) == (3, 9, [], 0)


ENTRY = "WHERE account_id = %(account)s AND sequence ="
LAST, FIRST, MIDDLE = 7, 1, 4


@pytest.mark.parametrize(
    ("harm", "sequence"),
    [
        (f'UPDATE ledger_entries SET metadata = \'{{"note": "e", "n": 1e21}}\' {ENTRY} 6', 6),
        (f"UPDATE ledger_entries SET metadata = '{{\"n\": 1e400}}' {ENTRY} 6", 6),
        (f"UPDATE ledger_entries SET description = 'Bonus' {ENTRY} 3", 3),
        (f"UPDATE ledger_entries SET reference_id = 'other' {ENTRY} 3", 3),
        (f"UPDATE ledger_entries SET content_hash = decode(repeat('00', 32), 'hex') {ENTRY} 3", 3),
    ],
)
def test_a_changed_text_is_named_by_its_hashes(sound: Sound, harm: str, sequence: int) -> None:
    sound.harm(harm)
    assert sound.found() == {("LED-3", sequence), ("LED-5", sequence)}


@pytest.mark.parametrize("moment", ["created_at - interval '1 us'", "created_at + interval '1 us'"])
def test_a_changed_time_is_named(sound: Sound, moment: str) -> None:
    sound.harm(f"UPDATE ledger_entries SET created_at = {moment} {ENTRY} {MIDDLE}")
    assert ("LED-3", MIDDLE) in sound.found()
    assert sound.found() <= {("LED-3", MIDDLE), ("LED-3", MIDDLE + 1)}


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
def test_a_time_that_python_cannot_tell_is_named_and_the_rest_still_read(sound: Sound, moment: str) -> None:
    sound.harm(f"UPDATE ledger_entries SET created_at = '{moment}' {ENTRY} {MIDDLE}")
    assert ("LED-3", MIDDLE) in sound.found()
    assert sound.verify().entries == 9


def test_a_changed_amount_is_named(sound: Sound) -> None:
    sound.harm(f"UPDATE ledger_entries SET amount = amount + 1 {ENTRY} 3")
    assert sound.found() == {("LED-3", 3), ("LED-5", 3)}


def test_a_changed_balance_is_named(sound: Sound) -> None:
    sound.harm(f"UPDATE ledger_entries SET balance_after = balance_after + 1 {ENTRY} 3")
    found = sound.found()
    assert ("LED-3", 3) in found
    assert {sequence for _, sequence in found} <= {3, 4}


def test_a_changed_hash_is_named_with_the_entry_that_follows(sound: Sound) -> None:
    sound.harm(f"UPDATE ledger_entries SET entry_hash = decode(repeat('00', 32), 'hex') {ENTRY} 3")
    assert sound.found() == {("LED-3", 3), ("LED-3", 4)}


@pytest.mark.parametrize("sequence", [FIRST, MIDDLE, LAST])
def test_a_deleted_entry_is_named(sound: Sound, sequence: int) -> None:
    sound.harm(f"DELETE FROM ledger_entries {ENTRY} {sequence}")
    missing = [p for p in sound.verify().problems if f"entry {sequence} is missing" in p.detail]
    assert [(p.account_id, p.sequence) for p in missing] == [(sound.account.account_id, sequence)]


def test_several_entries_deleted_are_named_together(sound: Sound) -> None:
    sound.harm("DELETE FROM ledger_entries WHERE account_id = %(account)s AND sequence IN (3, 4, 6, 7)")
    details = {p.detail for p in sound.verify().problems}
    assert {"entry 3 to 4 is missing", "entry 6 to 7 is missing at the end"} <= details


def test_an_entry_more_than_the_account_counts_is_named(sound: Sound) -> None:
    sound.harm("UPDATE accounts SET entry_count = 6 WHERE id = %(account)s")
    assert sound.found() == {("LED-3", 7)}


def test_swapped_entries_are_named(sound: Sound) -> None:
    sound.harm(
        "UPDATE ledger_entries SET sequence = 13 - sequence WHERE account_id = %(account)s AND sequence IN (6, 7)",
        without=("pk_ledger_entries",),
    )
    assert {("LED-3", 6), ("LED-3", 7)} <= sound.found()


@pytest.mark.parametrize(
    "column",
    [
        "deposited_amount",
        "approved_profit",
        "deposit_review",
        "withdrawal_hold",
        "virtual_balance",
        "virtual_hold",
        "allocated",
        "credit_due",
    ],
)
def test_an_edited_balance_is_named(sound: Sound, column: str) -> None:
    sound.harm(f"UPDATE accounts SET {column} = {column} + 0.00000001 WHERE id = %(account)s")
    assert sound.found() == {("LED-3", None)}


@pytest.mark.parametrize(
    "change",
    [
        "head_hash = decode(repeat('00', 32), 'hex')",
        "last_entry_at = last_entry_at - interval '1 us'",
        "last_entry_at = 'infinity'",
    ],
)
def test_an_edited_head_is_named(sound: Sound, change: str) -> None:
    sound.harm(f"UPDATE accounts SET {change} WHERE id = %(account)s")
    assert sound.found() == {("LED-3", LAST)}


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE house_funds SET balance = balance - 0.00000001", "house_funds is stated as 999.99999999"),
        ("DELETE FROM house_funds", "house_funds is stated as None"),
        ("UPDATE wallets SET balance = balance + 1 WHERE id = %(wallet)s", "states 1501.00000000"),
    ],
)
def test_edited_house_money_is_named(sound: Sound, harm: str, said: str) -> None:
    """LED-6."""
    sound.harm(harm)
    (problem,) = sound.verify().problems
    assert problem.invariant == "LED-6"
    assert said in problem.detail


def forged(sound: Sound, **changes: object) -> Entry:
    """An entry after the last one, with the right hash; only what it says is wrong."""
    with psycopg.connect(database_url(sound.settings, Role.READ)) as connection:
        entries = [e for e in repository.read_entries(connection) if e.account_id == sound.account.account_id]
    last = entries[-1]
    plain = {
        "sequence": last.sequence + 1,
        "journal_id": new_id(),
        "metadata": "{}",
        "amount": D("1000.00000000"),
        "balance_after": last.balance_after,
    }
    entry = last._replace(**{**plain, **changes})
    return entry._replace(entry_hash=chain_hash(last.entry_hash, entry))


def insert_forged(sound: Sound, entry: Entry, *, without: tuple[str, ...] = ()) -> None:
    """Write a forged entry and the head that fits it, as somebody with the owner's rights would."""
    columns = ", ".join(Entry._fields)
    with psycopg.connect(database_url(sound.settings, Role.OWNER)) as connection:
        for name in without:
            connection.execute(f"ALTER TABLE ledger_entries DROP CONSTRAINT ck_ledger_entries_{name}".encode())
        places = ", ".join(["%s"] * len(entry))
        connection.execute(f"INSERT INTO ledger_entries ({columns}) VALUES ({places})".encode(), entry)
        connection.execute(
            "UPDATE accounts SET entry_count = %s, head_hash = %s WHERE id = %s",
            [entry.sequence, entry.entry_hash, entry.account_id],
        )


def test_a_forged_entry_with_the_right_hash_is_named_by_its_balance(sound: Sound) -> None:
    insert_forged(sound, forged(sound))
    found = sound.found()
    assert ("LED-3", 8) in found
    assert ("LED-5", 8) in found
    assert any("is stated as" in p.detail and p.sequence == 8 for p in sound.verify().problems)


def test_a_forged_entry_beyond_the_chart_is_named(sound: Sound) -> None:
    """LED-1: a credit that would look like a trade, of an event that no trade comes from."""
    entry = forged(sound, entry_type="trade_pnl", contra="simulated_market")
    insert_forged(sound, entry, without=("in_chart",))
    problems = sound.verify().problems
    assert any(p.invariant == "LED-1" and p.sequence == 8 and "trade_pnl" in p.detail for p in problems)
    assert any("in_chart is missing" in p.detail for p in problems)


def test_an_unknown_book_is_named(sound: Sound) -> None:
    entry = forged(sound, book="pocket", balance_after=None)
    insert_forged(sound, entry, without=("in_chart", "one_unit", "balances_of_own_books"))
    assert {("LED-1", 8)} <= sound.found()


def test_a_wallet_on_a_leg_that_is_not_custodys_is_named(sound: Sound) -> None:
    insert_forged(sound, forged(sound, wallet_id=sound.wallet), without=("custody_names_wallet",))
    assert ("LED-6", 8) in sound.found()


def test_a_real_book_below_zero_is_named(sound: Sound) -> None:
    """LED-2."""
    entry = forged(
        sound,
        entry_type="deposit_return",
        unit="USD",
        book="deposited",
        contra="custody",
        wallet_id=sound.wallet,
        reference_type="deposit",
        amount=D("-501.00000000"),
        balance_after=D("-1.00000000"),
    )
    insert_forged(sound, entry)
    assert ("LED-2", 8) in sound.found()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"entry_type": "correction_writeoff", "contra": "correction_writeoff"},
            "a write-off without the adjustment",
        ),
        (
            {"entry_type": "protection", "contra": "simulated_protection", "reference_type": "position"},
            "protection that does not end at exactly zero",
        ),
        (
            {"entry_type": "profit_approval", "contra": "virtual_redeemed", "amount": D("-1.00000000")},
            "do not belong together",
        ),
    ],
)
def test_an_event_of_the_wrong_shape_is_named(sound: Sound, changes: dict[str, object], said: str) -> None:
    """LED-8."""
    insert_forged(sound, forged(sound, **changes))
    found = [(p.account_id, p.sequence) for p in sound.verify().problems if p.invariant == "LED-8" and said in p.detail]
    assert found == [(sound.account.account_id, 8)]


def test_a_hold_below_zero_is_named(sound: Sound) -> None:
    """LED-2."""
    entry = forged(
        sound,
        entry_type="withdrawal",
        unit="USD",
        book="hold",
        contra="deposited",
        reference_type="withdrawal",
        amount=D("-1.00000000"),
        balance_after=D("-1.00000000"),
        contra_balance_after=D("501.00000000"),
    )
    insert_forged(sound, entry)
    assert ("LED-2", 8) in sound.found()


def test_an_entry_dated_in_the_future_is_named(sound: Sound) -> None:
    insert_forged(sound, forged(sound, created_at=datetime(2999, 1, 1, tzinfo=UTC)))
    assert any(p.sequence == 8 and "in the future" in p.detail for p in sound.verify().problems)


def test_an_amount_that_is_no_number_is_named(sound: Sound) -> None:
    sound.harm(
        f"UPDATE ledger_entries SET amount = 'NaN' {ENTRY} 3",
        without=("ck_ledger_entries_numbers",),
    )
    problems = [p for p in sound.verify().problems if p.sequence == 3]
    assert any("not a number" in p.detail for p in problems)
    assert all(p.account_id == sound.account.account_id for p in problems)


def test_an_entry_whose_account_is_gone_is_named(sound: Sound) -> None:
    key = "fk_ledger_entries_user_id_account_id_accounts"
    sound.harm("DELETE FROM accounts WHERE id = %(account)s", without=(key,))
    gone = [p.sequence for p in sound.verify().problems if p.detail == "the entry's account is gone"]
    assert gone == list(range(1, 8))


def as_owner(sound: Sound, *statements: str) -> None:
    """Change the shape of the database."""
    with psycopg.connect(database_url(sound.settings, Role.OWNER)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.mark.parametrize("table", ["ledger_entries", "audits"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {} DISABLE TRIGGER append_only",
        "ALTER TABLE {} ENABLE TRIGGER append_only",
        "ALTER TABLE {} ENABLE REPLICA TRIGGER append_only_truncate",
        "DROP TRIGGER append_only ON {}",
        "DROP TRIGGER append_only_truncate ON {}",
    ],
)
def test_a_trigger_that_is_off_is_named(sound: Sound, table: str, statement: str) -> None:
    """LED-4: off, gone, or one that a session in replica mode would not fire."""
    as_owner(sound, statement.format(table))
    detail = f"the triggers that keep {table} append-only are missing, off, or not enabled always"
    assert sound.verify().problems == [Problem("LED-4", detail)]


def test_a_trigger_of_that_name_that_does_something_else_is_named(sound: Sound) -> None:
    as_owner(
        sound,
        "CREATE FUNCTION allow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_entries"
        " FOR EACH ROW EXECUTE FUNCTION allow()",
        "ALTER TABLE ledger_entries ENABLE ALWAYS TRIGGER append_only",
    )
    assert [p.invariant for p in sound.verify().problems] == ["LED-4"]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_hold_not_negative",
            "accounts.ck_accounts_hold_not_negative",
        ),
        (
            "ALTER TABLE ledger_entries DROP CONSTRAINT ck_ledger_entries_one_unit",
            "ledger_entries.ck_ledger_entries_one_unit",
        ),
        (
            "ALTER TABLE house_funds DROP CONSTRAINT ck_house_funds_balance_not_negative",
            "house_funds.ck_house_funds_balance_not_negative",
        ),
        ("DROP INDEX uq_ledger_entries_reverses", "ledger_entries.uq_ledger_entries_reverses"),
    ],
)
def test_a_dropped_rule_is_named(sound: Sound, statement: str, named: str) -> None:
    as_owner(sound, statement)
    assert sound.verify().problems == [Problem("LED-1", f"the constraint {named} is missing or not validated")]


def test_a_rule_that_was_not_validated_is_named(sound: Sound) -> None:
    name = "ck_accounts_hold_not_negative"
    as_owner(
        sound,
        f"ALTER TABLE accounts DROP CONSTRAINT {name}",
        f"ALTER TABLE accounts ADD CONSTRAINT {name} CHECK (withdrawal_hold >= 0) NOT VALID",
    )
    assert [name in p.detail for p in sound.verify().problems] == [True]


def test_a_ruined_ledger_is_told_by_a_count(sound: Sound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "PROBLEMS_MAX", 3)
    sound.harm("UPDATE ledger_entries SET description = 'x' WHERE account_id = %(account)s")
    report = sound.verify()
    assert (len(report.problems), report.ok) == (3, False)
    assert report.further_problems > 3


@pytest.fixture
def traced() -> Generator[None]:
    """Memory of Python's, traced."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
async def test_memory_does_not_grow_with_the_ledger(database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five times the entries on one account need at the peak what fewer did, give or take a few pages of rows."""
    monkeypatch.setattr(repository, "_ROWS_PER_FETCH", 200)
    peaks: list[int] = []
    async with Books.open(database) as books:
        account = await books.account()
        for journals in (10, 40):
            batch = [adjusting(account, 1, lines=(adjustment_line(1),) * 100) for _ in range(journals)]
            await books.post(*batch)
            del batch
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            assert verify(database_url(database, Role.READ)).ok
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        assert (await books.figures(account)).entry_count == 5_000
    assert peaks[1] < 1.25 * peaks[0]


def test_stored_metadata_is_read_as_it_was_posted(sound: Sound) -> None:
    """1e21 is printed by PostgreSQL with all its digits; the hash is of the double."""
    with psycopg.connect(database_url(sound.settings, Role.READ)) as connection:
        stored = [e.metadata for e in repository.read_entries(connection) if e.account_id == sound.account.account_id]
    assert stored[5] == '{"n": 1000000000000000000000, "note": "é"}'
    assert canonical_stored_metadata(stored[5]) == '{"n":1e+21,"note":"é"}'


def test_the_houses_entries_are_replayed_too(sound: Sound) -> None:
    sound.harm(f"UPDATE ledger_entries SET description = 'x' WHERE account_id = '{HOUSE_ID}'")
    assert {(p.invariant, p.account_id, p.sequence) for p in sound.verify().problems} == {
        ("LED-3", HOUSE_ID, 1),
        ("LED-5", HOUSE_ID, 1),
    }
