"""The canonical form and the chain: the documented vectors, and that SQL and Python write the same bytes (LED-3)."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from support.books import adjusting, adjustment_line, new_account
from support.factories import account_row, insert, user_row

from topcoin.infra.settings import REPOSITORY
from topcoin.kernel.ids import new_id
from topcoin.ledger.chain.domain import (
    GENESIS_HASH,
    Entry,
    InvalidMetadata,
    canonical_entry,
    canonical_metadata,
    canonical_stored_metadata,
    canonical_time,
    chain_hash,
)
from topcoin.ledger.chart.domain import EntryType, ReferenceType, parse_book
from topcoin.ledger.posting.domain import Journal, Line, Reference
from topcoin.ledger.posting.service import post
from topcoin.ledger.statements.service import get_journal

PAGE = (REPOSITORY / "docs/reference/ledger-chain.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


EXAMPLE = blocks("jsonl")[0]
RECORDS: list[dict[str, str | None]] = [json.loads(line) for line in EXAMPLE.rstrip("\n").split("\n")]
JOURNAL_FORM, *ENTRY_FORMS = (block.removesuffix("\n") for block in blocks("json"))
HASHES = re.findall(r"^    ([0-9a-f]{64})$", PAGE, re.MULTILINE)


def entry_of(record: dict[str, Any]) -> Entry:
    """An entry from a line of the example."""
    ids = ("user_id", "account_id", "journal_id", "wallet_id", "reverses")
    numbers = ("amount", "balance_after", "contra_balance_after")
    convert: dict[str, Any] = {
        **dict.fromkeys(ids, UUID),
        **dict.fromkeys(numbers, Decimal),
        **dict.fromkeys(("sequence", "line_no"), int),
        **dict.fromkeys(("content_hash", "entry_hash"), bytes.fromhex),
        "created_at": datetime.fromisoformat,
    }
    fields: dict[str, Any] = {name: convert.get(name, str)(value) if value else None for name, value in record.items()}
    return Entry(**fields)


def check_without_topcoin(folder: Path, records: list[dict[str, str | None]]) -> "subprocess.CompletedProcess[str]":
    """Run the page's own program, in a Python that sees none of our packages, on an export."""
    program, export = folder / "check.py", folder / "entries.jsonl"
    program.write_text(blocks("python")[0], encoding="utf-8")
    export.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    command = [sys.executable, "-I", "-S", program, export]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program


def test_the_documented_program_verifies_the_example(tmp_path: Path) -> None:
    run = check_without_topcoin(tmp_path, RECORDS)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == blocks("text")[0]


@pytest.mark.parametrize("column", [name for name in Entry._fields if name != "entry_hash"])
def test_the_documented_program_finds_a_change_of_any_column(tmp_path: Path, column: str) -> None:
    last = RECORDS[-1]
    run = check_without_topcoin(tmp_path, [*RECORDS[:-1], {**last, column: (last[column] or "") + "0"}])
    assert run.returncode != 0
    assert "AssertionError" in run.stderr


@pytest.mark.parametrize("kept", [[1, 2], [0, 2], [1, 0, 2], [0, 1, 1, 2]])
def test_the_documented_program_finds_entries_left_out_moved_or_doubled(tmp_path: Path, kept: list[int]) -> None:
    assert "AssertionError" in check_without_topcoin(tmp_path, [RECORDS[index] for index in kept]).stderr


def test_the_documented_vectors_are_what_the_code_writes() -> None:
    assert len(RECORDS) == len(ENTRY_FORMS) == len(HASHES) == 3
    head = GENESIS_HASH
    for record, form, documented in zip(RECORDS, ENTRY_FORMS, HASHES, strict=True):
        entry = entry_of(record)
        assert canonical_entry(entry).decode() == form
        head = chain_hash(head, entry)
        assert head.hex() == documented == record["entry_hash"]


def journal_of(records: list[dict[str, Any]]) -> Journal:
    """The journal whose posting made some entries of the example."""
    first, entries = records[0], [entry_of(record) for record in records]
    return Journal(
        journal_id=UUID(first["journal_id"]),
        user_id=UUID(first["user_id"]),
        account_id=UUID(first["account_id"]),
        description=first["description"],
        reference=Reference(ReferenceType(first["reference_type"]), first["reference_id"]),
        lines=tuple(
            Line(EntryType(e.entry_type), parse_book(e.book), parse_book(e.contra), e.amount, e.wallet_id)
            for e in entries
        ),
        metadata=json.loads(first["metadata"]),
    )


async def test_posting_the_example_writes_the_documented_hashes(session: AsyncSession) -> None:
    entries = [entry_of(record) for record in RECORDS]
    user_id, account_id, wallet_id = entries[0].user_id, entries[0].account_id, entries[0].wallet_id
    await insert(session, "users", user_row(id=user_id))
    await insert(session, "accounts", account_row(user_id, id=account_id))
    await insert(session, "wallets", {"id": wallet_id, "wallet_type": "business_deposit", "name": "w", "currency": "c"})
    hashes: list[str] = []
    for records in (RECORDS[:2], RECORDS[2:]):
        moment = datetime.fromisoformat(str(records[0]["created_at"]))
        (result,) = await post(session, [journal_of(records)], now=moment)
        hashes += [entry.entry_hash.hex() for entry in result.unwrap()]
    assert hashes == HASHES
    content = await session.scalar(
        text("SELECT encode(sha256(convert_to(:form, 'UTF8')), 'hex')"), {"form": JOURNAL_FORM}
    )
    assert content == journal_of(RECORDS[:2]).content_hash.hex() == RECORDS[0]["content_hash"]


AWKWARD = '"\\/\b\f\n\r\t\x01\x1f\x7f\x80\x9f\xa0\xad\u061c\u200b\u2028\u2029\ufeff\ufffd\uffff😀𐏿\U0010ffff'
characters = st.one_of(
    st.sampled_from(AWKWARD),
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
)
texts = st.text(characters, min_size=1, max_size=40).filter(lambda value: not value.isspace() and value.strip(" "))
numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e21, 1e20, -1e22, -0.0, 0.1, 1e-7, 1e-6, 5e-324, 1.7976931348623157e308, 2.0**53, 123456789e15]),
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(characters, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters, max_size=8), inner, max_size=4),
    max_leaves=12,
)
metadata = st.dictionaries(st.text(characters, max_size=12), json_values, max_size=5)
amounts = st.decimals(min_value="0.00000001", max_value="1e18", places=8)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    description=texts,
    reference_id=texts,
    details=metadata,
    figures=st.lists(amounts, min_size=1, max_size=4),
    moment=st.datetimes(datetime(1970, 1, 2), datetime(2026, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as Hypothesis wants it
)
async def test_the_hash_that_sql_writes_is_the_one_that_python_computes(
    session: AsyncSession,
    description: str,
    reference_id: str,
    details: dict[str, Any],
    figures: list[Decimal],
    moment: datetime,
) -> None:
    account = await new_account(session)
    reference = Reference(ReferenceType.ADMIN_ADJUSTMENT, reference_id)
    first = adjusting(
        account,
        1,
        description=description,
        reference=reference,
        metadata=details,
        lines=tuple(adjustment_line(amount) for amount in figures),
    )
    reversal = adjusting(account, -figures[0], description=description, reverses=first.journal_id)
    for result in await post(session, [first, reversal], now=moment):
        result.unwrap()
    head = GENESIS_HASH
    for journal in (first, reversal):
        for entry in await get_journal(session, journal.user_id, journal.journal_id):
            assert entry.metadata == journal.canonical_metadata
            assert entry.created_at == moment
            head = chain_hash(head, entry)
            assert entry.entry_hash == head
    assert (
        await session.scalar(text("SELECT head_hash FROM accounts WHERE id = :id"), {"id": account.account_id}) == head
    )


@given(metadata)
def test_canonical_metadata_is_a_fixed_point_that_keeps_the_values(details: dict[str, Any]) -> None:
    canonical = canonical_metadata(details)
    assert canonical_stored_metadata(canonical) == canonical
    assert json.loads(canonical, parse_int=float) == details


@pytest.mark.parametrize(
    ("details", "canonical"),
    [
        ({}, "{}"),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({"x": 1e21}, '{"x":1e+21}'),
        ({"x": 1e20}, '{"x":100000000000000000000}'),
        ({"x": -0.0}, '{"x":0}'),
        ({"x": 0.1}, '{"x":0.1}'),
        ({"x": 1e-7}, '{"x":1e-7}'),
        ({"x": 5.0}, '{"x":5}'),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'),
        ({"x": "\\u0000"}, '{"x":"\\\\u0000"}'),
        ({"x": "\x1f\x7f\u2028"}, '{"x":"\\u001f\x7f\u2028"}'),
    ],
)
def test_canonical_metadata_is_that_of_rfc_8785(details: dict[str, Any], canonical: str) -> None:
    assert canonical_metadata(details) == canonical


def test_metadata_nested_beyond_reason_is_refused() -> None:
    value: dict[str, Any] = {}
    for _ in range(5_000):
        value = {"a": value}
    with pytest.raises(InvalidMetadata):
        canonical_metadata(value)


@pytest.mark.parametrize(
    "details",
    [
        {"x": 2**53},
        {"x": -(2**53)},
        {"x": 10**400},
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": Decimal(1)},
        {"x": b""},
        {"x": {1, 2}},
        {1: "x"},
        {"x": {None: 1}},
        {"x": "a\x00b"},
        {"\x00": 1},
        {"x": ["\\\\\x00"]},
        {"x": "\ud800"},
        {"\udfff": 1},
    ],
    ids=lambda details: ascii(details)[:30],
)
def test_metadata_without_a_canonical_form_is_refused(details: dict[str, Any]) -> None:
    with pytest.raises(InvalidMetadata) as refused:
        canonical_metadata(details)
    assert refused.value.code == "invalid_metadata"


@pytest.mark.parametrize(
    "stored",
    [
        '{"x": 1' + "0" * 400 + "}",
        '{"x": 1' + "0" * 5_000 + "}",
        '{"x": ' + "[" * 100_000,
        "[1]",
        "7",
        "{",
        '{"x": NaN}',
    ],
    ids=["1e400", "1e5000", "deep", "list", "number", "cut", "nan"],
)
def test_stored_metadata_that_was_never_posted_is_refused(stored: str) -> None:
    with pytest.raises(InvalidMetadata):
        canonical_stored_metadata(stored)


def test_times_are_written_in_utc_with_six_decimals() -> None:
    moment = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert canonical_time(moment) == "2025-12-31T23:30:00.000000Z"
    assert canonical_time(moment.replace(microsecond=1)) == "2025-12-31T23:30:00.000001Z"


def test_every_column_is_hashed() -> None:
    """A change of any field of an entry, but for its own hash, changes the hash."""
    base = entry_of({**RECORDS[0], "contra_balance_after": "1.00000000", "reverses": str(new_id())})
    changes: dict[str, Any] = {
        **dict.fromkeys(("user_id", "account_id", "journal_id", "wallet_id", "reverses"), UUID(int=1)),
        **dict.fromkeys(("sequence", "line_no"), 77),
        **dict.fromkeys(("amount", "balance_after", "contra_balance_after"), Decimal("7.00000000")),
        **dict.fromkeys(("entry_type", "unit", "book", "contra", "description", "reference_type", "reference_id"), "x"),
        "metadata": '{"a":1}',
        "created_at": base.created_at + timedelta(microseconds=1),
        "content_hash": bytes(32),
    }
    assert set(changes) == set(Entry._fields) - {"entry_hash"}
    hashes = {chain_hash(GENESIS_HASH, base._replace(**{name: value})) for name, value in changes.items()}
    assert len(hashes | {chain_hash(GENESIS_HASH, base), chain_hash(bytes(31) + b"\x01", base)}) == len(changes) + 2
