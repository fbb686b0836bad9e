"""Files of journals: their lines, their journals, and what becomes of them."""

import asyncio
import io
import json
import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.journal_lines import HOUSE, JsonObject, as_file, deposit, journal, new_account, post, topcoin

from topcoin.infra import settings as infra_settings
from topcoin.infra.database.connect import Role, SessionFactory, database_url
from topcoin.infra.settings import Environment, Settings
from topcoin.kernel.errors import TopCoinError
from topcoin.kernel.ids import new_id
from topcoin.ledger.group_commit.service import GroupCommit, PosterClosed
from topcoin.ledger.journal_files import reader
from topcoin.ledger.journal_files.domain import (
    LINE_BYTES_MAX,
    LineResult,
    SourceLine,
    read_draft,
    read_json,
    refused_line,
)
from topcoin.ledger.journal_files.reader import read_batches
from topcoin.ledger.journal_files.repository import ensure_development_wallet
from topcoin.ledger.journal_files.service import post_journal_file
from topcoin.ledger.posting.domain import PostingStatus

ACCOUNT = "0198c5a0-7c00-7000-8000-000000000000"


class Pieces:
    """A stream that gives its bytes in the pieces that it was made of."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = iter([piece for piece in pieces if piece])

    def read1(self, _size: int, /) -> bytes:
        """The next piece."""
        return next(self._pieces, b"")


# -- Lines ---------------------------------------------------------------------------------------------------------


def lines_of(stream: reader.ByteStream) -> list[SourceLine]:
    return [line for batch in read_batches(stream) for line in batch]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\r\n \t\n", []),
        (b"a", [(1, b"a")]),
        (b"\xef\xbb\xbfa\r\n\r\nb\n", [(1, b"a\r"), (3, b"b")]),
        (b"a\n\xef\xbb\xbfb", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b"\x00\xff\n{", [(1, b"\x00\xff"), (2, b"{")]),
    ],
)
def test_lines_are_numbered_as_an_editor_numbers_them(content: bytes, expected: list[tuple[int, bytes]]) -> None:
    assert [(line.number, line.content) for line in lines_of(io.BytesIO(content))] == expected


def test_a_line_over_the_limit_is_dropped_and_those_around_it_are_kept() -> None:
    longest, too_long = b"x" * LINE_BYTES_MAX, b"y" * (LINE_BYTES_MAX + 1)
    stream = io.BytesIO(b"\n".join([b"a", longest, too_long, b"b", too_long * 3]))
    assert lines_of(stream) == [
        SourceLine(1, b"a"),
        SourceLine(2, longest),
        SourceLine(3, None),
        SourceLine(4, b"b"),
        SourceLine(5, None),
    ]


@given(st.lists(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"0123456789"])).map(b"".join)))
def test_lines_do_not_depend_on_the_pieces_they_arrive_in(pieces: list[bytes]) -> None:
    longest = 12
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "LINE_BYTES_MAX", longest)
        patch.setattr(reader, "LINES_PER_BATCH", 3)
        found = [(line.number, line.content) for line in lines_of(Pieces(pieces))]
    whole = enumerate(b"".join(pieces).split(b"\n"), 1)
    assert found == [(n, line if len(line) <= longest else None) for n, line in whole if line.strip()]


# -- Journals ------------------------------------------------------------------------------------------------------


def draft_of(text: str) -> Any:  # noqa: ANN401 - a draft
    return read_draft(read_json(text.encode()))


def with_changes(**changes: object) -> str:
    return json.dumps({**deposit(ACCOUNT), **changes})


def without(name: str) -> str:
    return json.dumps({key: value for key, value in deposit(ACCOUNT).items() if key != name})


def with_line(**changes: object) -> str:
    return with_changes(lines=[{"book": "deposited", "contra": "custody", "amount": "1", **changes}])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"null", "invalid_json"),
        (b"\xff\xfe{\x00}\x00", "invalid_json"),
        (b"\x00", "invalid_json"),
        (b'{"description": "a\x00b"}', "invalid_json"),
        (b'{"amount": NaN}', "invalid_json"),
        (b'{"amount": -Infinity}', "invalid_json"),
        (b'{"amount": 1e99999999999999999999}', "invalid_json"),
        (b"[" * 200_000, "invalid_json"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b'{"reference": {"id": "x", "id": "y"}}', "duplicate_key"),
        (None, "line_too_long"),
        *((without(name).encode(), "missing_field") for name in deposit(ACCOUNT)),
        (with_changes(reverse=ACCOUNT).encode(), "unknown_field"),
        (with_line(walet_id=ACCOUNT).encode(), "unknown_field"),
        (with_changes(reference={"type": "deposit"}).encode(), "missing_field"),
        (with_changes(reference={"type": "deposit", "id": "x", "at": 1}).encode(), "unknown_field"),
        (with_changes(reference="deposit").encode(), "invalid_field"),
        (with_changes(reference={"type": "gift", "id": "x"}).encode(), "wrong_reference"),
        (with_changes(reference={"type": "deposit", "id": ""}).encode(), "invalid_text"),
        (with_changes(reference={"type": "deposit", "id": 7}).encode(), "invalid_field"),
        (with_changes(journal_id="x").encode(), "invalid_field"),
        (with_changes(journal_id=ACCOUNT.replace("-", "")).encode(), "invalid_field"),
        (with_changes(account_id=None).encode(), "invalid_field"),
        (with_changes(user_id=1).encode(), "invalid_field"),
        (with_changes(reverses="x").encode(), "invalid_field"),
        (with_changes(description=None).encode(), "invalid_field"),
        (with_changes(entry_type="gift").encode(), "unknown_entry_type"),
        (with_changes(metadata=[]).encode(), "invalid_field"),
        (with_changes(lines={}).encode(), "invalid_field"),
        (with_changes(lines=[1]).encode(), "invalid_field"),
        (with_changes(lines=[{}] * 101).encode(), "invalid_journal"),
        (with_line(book="savings").encode(), "unknown_book"),
        (with_line(contra="").encode(), "unknown_book"),
        (with_line(entry_type="gift").encode(), "unknown_entry_type"),
        (with_line(wallet_id="x").encode(), "invalid_field"),
        *(
            (with_line(amount=amount).encode(), "invalid_field")
            for amount in (None, True, [1], "", " 1", "1_0", "NaN", "0x1", "\u0661", "1,5", ".")
        ),
    ],
)
def test_what_is_no_journal_is_refused_by_name(content: bytes | None, code: str) -> None:
    with pytest.raises(TopCoinError) as refused:
        read_draft(read_json(content))
    assert refused.value.code == code


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("amount", ["0.1", "12345678901234567890.12345678", "-0.00000001", "7", "1E-8", "2e3"])
def test_amounts_are_read_digit_by_digit(amount: str, quote: str) -> None:
    text = with_line(amount="@").replace('"@"', f"{quote}{amount}{quote}")
    line = draft_of(text).complete(new_id(), new_id()).lines[0] if amount[0] != "-" else draft_of(text).lines[0]
    assert Decimal(line.amount) == Decimal(amount)


def test_optional_fields_may_be_absent_or_null() -> None:
    plain = draft_of(with_line())
    nulls = draft_of(
        json.dumps(
            {
                **json.loads(with_line(entry_type=None, wallet_id=None)),
                "journal_id": str(plain.journal_id),
                "reference": {"type": "deposit", "id": plain.reference.id},
                "metadata": None,
                "reverses": None,
                "user_id": None,
            }
        )
    )
    assert nulls == plain


def test_metadata_keeps_what_json_means() -> None:
    draft = draft_of(with_changes(metadata={"n": 3, "x": 0.1, "deep": [{"s": "é", "none": None, "yes": True}]}))
    assert draft.metadata == {"n": 3, "x": 0.1, "deep": [{"s": "é", "none": None, "yes": True}]}
    assert [type(draft.metadata[name]) for name in ("n", "x")] == [int, float]


def test_a_refusal_stays_one_readable_line_whatever_it_repeats() -> None:
    with pytest.raises(TopCoinError) as refused:
        draft_of(with_line(book="\ud800\n" + "x" * 5_000))
    said = refused_line(3, None, refused.value).to_json()
    assert "\n" not in said
    assert len(said.encode()) < 1_000
    assert json.loads(said)["line"] == 3


# -- Posting -------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_this_database(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(infra_settings, "current_settings", lambda: database)
    return database


@pytest.mark.usefixtures("on_this_database")
def test_posting_answers_every_journal_and_repeating_the_file_answers_the_same() -> None:
    account = new_account()
    lines = (
        deposit(account, "500"),
        journal(account, "trade_pnl", "position", ("virtual", "simulated_market", "-12.5")),
    )
    first, again = post(*lines), post(*lines)
    assert [result["status"] for result in first] == ["posted", "posted"]
    assert [result["status"] for result in again] == ["duplicate", "duplicate"]
    assert [result["entries"] for result in first] == [result["entries"] for result in again]
    assert [result["journal_id"] for result in first] == [line["journal_id"] for line in lines]
    assert [[entry["sequence"] for entry in result["entries"]] for result in first] == [[1, 2], [3]]
    assert first[1]["entries"][0]["balance_after"] == "487.50000000"


@pytest.mark.usefixtures("on_this_database")
def test_refused_lines_leave_the_others_alone_and_fail_the_command(tmp_path: Path) -> None:
    account = new_account()
    taken = deposit(account)
    file = tmp_path / "journals.jsonl"
    file.write_bytes(
        as_file(
            taken,
            "not json",
            journal(account, "deposit", "deposit", ("deposited", "savings", "1")),
            journal(account, "deposit", "deposit", ("deposited", "virtual_credit", "1")),
            journal(account, "deposit", "deposit", ("deposited", "custody", "0.000000001")),
            journal(account, "withdrawal", "withdrawal", ("hold", "deposited", "100.00000001")),
            deposit(new_id()),
            {**taken, "description": "Something else"},
            {**deposit(account), "journal_id": "J-1"},
            deposit(account, user_id=str(new_id())),
            deposit(account, "1"),
        )
    )
    outcome = topcoin("ledger", "post", str(file), "--json")
    assert outcome.status == 1
    assert [(result["line"], result["code"]) for result in outcome.lines] == [
        (1, None),
        (2, "invalid_json"),
        (3, "unknown_book"),
        (4, "wrong_unit"),
        (5, "over_precise_amount"),
        (6, "insufficient_funds"),
        (7, "account_not_found"),
        (8, "idempotency_conflict"),
        (9, "invalid_field"),
        (10, "account_not_found"),
        (11, None),
    ]
    assert [result["journal_id"] for result in outcome.lines][:2] == [taken["journal_id"], None]
    assert outcome.lines[8]["journal_id"] == "J-1"
    assert all(result["entries"] == [] for result in outcome.lines if result["status"] == "refused")
    assert json.loads(outcome.err) == {"posted": 2, "duplicate": 0, "refused": 9}


@pytest.mark.usefixtures("on_this_database")
def test_a_long_file_is_posted_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each withdrawal is covered by the deposit just before it, over many batches in flight at once."""
    monkeypatch.setattr(reader, "LINES_PER_BATCH", 3)
    account = new_account()
    lines: list[JsonObject] = []
    for _ in range(60):
        lines += (
            journal(account, "deposit", "deposit", ("deposited", "custody", "5")),
            journal(account, "withdrawal", "withdrawal", ("hold", "deposited", "5")),
        )
    results = post(*lines)
    assert [result["journal_id"] for result in results] == [line["journal_id"] for line in lines]
    assert [result["entries"][0]["sequence"] for result in results] == list(range(1, 121))


@pytest.mark.usefixtures("on_this_database")
def test_a_journal_may_reverse_another_and_its_lines_be_of_several_types() -> None:
    account = new_account()
    moves = (("virtual", "simulated_market", "9"), ("virtual", "simulated_fees", "-1"))
    trade = journal(account, "trade_pnl", "position", *moves)
    trade["lines"][1]["entry_type"] = "fee"
    back = journal(
        account, "trade_pnl", "position", ("virtual", "simulated_market", "-8"), reverses=trade["journal_id"]
    )
    twice = {**back, "journal_id": str(new_id())}
    assert [result["code"] for result in post(trade, back, twice)] == [None, None, "already_reversed"]


def test_custody_without_a_wallet_goes_to_the_development_wallet(on_this_database: Settings) -> None:
    account = new_account()
    post(deposit(account, "500"), journal(HOUSE, "operator_funding", "wallet", ("operator_funds", "custody", "100")))
    post(deposit(account, "7"))
    with psycopg.connect(database_url(on_this_database, Role.READ)) as connection:
        wallets = connection.execute("SELECT wallet_type, name, currency, balance FROM wallets").fetchall()
    assert wallets == [("business_deposit", "Development custody", "usd", Decimal(607))]


async def test_the_development_wallet_is_made_once_by_two_at_the_same_moment(sessions: SessionFactory) -> None:
    async with sessions() as first, sessions() as second:
        made = await ensure_development_wallet(first, new_id())
        waiting = asyncio.create_task(ensure_development_wallet(second, new_id()))
        await first.commit()
        assert await waiting == made


@pytest.mark.usefixtures("on_this_database")
def test_an_empty_file_is_in_order() -> None:
    outcome = topcoin("ledger", "post", "-", stdin=b"\xef\xbb\xbf\r\n\n")
    assert (outcome.status, outcome.out) == (0, "")
    assert outcome.err.strip() == "0 posted, 0 duplicate, 0 refused"


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
@pytest.mark.usefixtures("on_this_database")
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    outcome = topcoin("ledger", "post", str(tmp_path / name), "--json")
    assert outcome.status == 1
    assert outcome.lines[0]["error"]["code"] == "file_unreadable"


def test_production_posts_no_files(on_this_database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    account = new_account()
    production = on_this_database.model_copy(update={"env": Environment.PRODUCTION})
    monkeypatch.setattr(infra_settings, "current_settings", lambda: production)
    outcome = topcoin("ledger", "post", "-", "--json", stdin=as_file(deposit(account)))
    assert outcome.status == 1
    assert outcome.lines[0]["error"]["code"] == "not_in_production"
    with psycopg.connect(database_url(on_this_database, Role.READ)) as connection:
        assert connection.execute("SELECT count(*) FROM ledger_entries").fetchone() == (0,)


async def test_what_a_slow_writer_has_sent_is_answered_before_the_rest(
    database: Settings, sessions: SessionFactory
) -> None:
    answered = threading.Event()

    class Conversation:
        """Writes its second line only when the first one has been answered."""

        said = 0

        def read1(self, _size: int, /) -> bytes:
            self.said += 1
            if self.said == 2:
                assert answered.wait(60)
            return as_file(deposit(ACCOUNT)) if self.said <= 2 else b""

    results: list[LineResult] = []

    def report(some: Sequence[LineResult]) -> None:
        results.extend(some)
        answered.set()

    async with GroupCommit(database_url(database, Role.APP)) as poster:
        summary = await post_journal_file(Conversation(), sessions, poster, report)
    assert [result.line for result in results] == [1, 2]
    assert summary.counts[PostingStatus.REFUSED] == 2
    assert not summary.is_clean


async def test_what_fails_outside_the_journals_ends_the_posting(database: Settings, sessions: SessionFactory) -> None:
    async with GroupCommit(database_url(database, Role.APP)) as poster:
        pass
    with pytest.raises(PosterClosed):
        await post_journal_file(
            io.BytesIO(as_file(deposit(ACCOUNT, user_id=ACCOUNT))), sessions, poster, lambda _results: None
        )
