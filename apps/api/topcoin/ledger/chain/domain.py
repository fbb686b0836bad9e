r"""The canonical form of entries and journals, and the chain that their hashes make (LED-3, promise P6).

An entry's canonical form is a JSON array in the form of RFC 8785 (no spaces, minimal escapes, UTF-8), in which every
value is a string or null:

    ["topcoin/ledger-entry/1", user_id, account_id, journal_id, created_at, description, reference_type, reference_id,
     metadata, reverses, content_hash, sequence, line_no, entry_type, unit, book, contra, amount, balance_after,
     contra_balance_after, wallet_id]

Ids are lower-case UUIDs; amounts are plain decimals with eight places; `created_at` is UTC with six decimals and `Z`;
`metadata` is the text of its own RFC 8785 form; hashes are lower-case hex. Then

    entry_hash = SHA-256(entry hash before it on the account, or 32 zero bytes ‖ canonical form)

A journal's canonical form, whose SHA-256 is the `content_hash` on its first entry, says what was asked for, before
numbering and balances:

    ["topcoin/ledger-journal/1", user_id, account_id, journal_id, description, reference_type, reference_id, metadata,
     reverses, [[entry_type, book, contra, amount, wallet_id], …]]

Test vectors: docs/reference/ledger-chain.md.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import rfc8785

from topcoin.kernel.errors import Invalid

GENESIS_HASH = bytes(32)
"""What stands before an account's first entry."""

_ENTRY_FORM = "topcoin/ledger-entry/1"
_JOURNAL_FORM = "topcoin/ledger-journal/1"
_INTEGER_MAX = 2**53 - 1
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of NUL; after an odd number of backslashes it is a text about that escape."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class InvalidMetadata(Invalid):
    """Metadata that has no canonical form."""

    code = "invalid_metadata"


class Entry(NamedTuple):
    """One row of the ledger, every column: a named tuple, since millions are read in one verification."""

    user_id: UUID
    account_id: UUID
    sequence: int
    journal_id: UUID
    line_no: int
    created_at: datetime
    entry_type: str
    unit: str
    book: str
    contra: str
    amount: Decimal
    balance_after: Decimal | None
    contra_balance_after: Decimal | None
    wallet_id: UUID | None
    description: str
    reference_type: str
    reference_id: str
    metadata: str
    """In canonical form."""
    reverses: UUID | None
    content_hash: bytes | None
    entry_hash: bytes


def canonical_metadata(metadata: Mapping[str, Any]) -> str:
    """The RFC 8785 text of metadata; numbers must be exact as IEEE 754 doubles, text must be storable."""
    if not metadata:
        return "{}"
    try:
        text = rfc8785.dumps(dict(metadata)).decode()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError, TypeError) as error:
        raise InvalidMetadata(f"metadata must be plain JSON ({error}); write large or exact numbers as text") from None
    if _NUL.search(text):
        raise InvalidMetadata("metadata holds a NUL character, which PostgreSQL cannot keep; remove it")
    return text


def _stored_integer(text: str) -> int | float:
    number = int(text)
    return number if abs(number) <= _INTEGER_MAX else float(number)


def canonical_stored_metadata(text: str) -> str:
    """The canonical form of metadata as the database prints it.

    PostgreSQL writes 1e21 with all its digits; such a number was a double when it came in and is read as one again.
    Raises InvalidMetadata for what cannot have been posted.
    """
    if text == "{}":
        return text
    try:
        metadata = json.loads(text, parse_int=_stored_integer)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidMetadata(f"the metadata stored has no canonical form ({error}); it was not posted so") from None
    return canonical_metadata(metadata)


def canonical_time(moment: datetime) -> str:
    """UTC, six decimals, `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def canonical_entry(entry: Entry) -> bytes:
    """The bytes that are hashed for an entry."""
    return _encode(
        [
            _ENTRY_FORM,
            str(entry.user_id),
            str(entry.account_id),
            str(entry.journal_id),
            canonical_time(entry.created_at),
            entry.description,
            entry.reference_type,
            entry.reference_id,
            entry.metadata,
            _text(entry.reverses),
            None if entry.content_hash is None else entry.content_hash.hex(),
            str(entry.sequence),
            str(entry.line_no),
            entry.entry_type,
            entry.unit,
            entry.book,
            entry.contra,
            f"{entry.amount:f}",
            _decimal(entry.balance_after),
            _decimal(entry.contra_balance_after),
            _text(entry.wallet_id),
        ]
    ).encode()


def chain_hash(previous: bytes, entry: Entry) -> bytes:
    """The hash of an entry that stands after `previous`."""
    return hashlib.sha256(previous + canonical_entry(entry)).digest()


JournalLine = tuple[str, str, str, Decimal, UUID | None]
"""Entry type, book, contra, amount, wallet: what a line asks for."""


def journal_hash(
    *,
    user_id: UUID,
    account_id: UUID,
    journal_id: UUID,
    description: str,
    reference_type: str,
    reference_id: str,
    metadata: str,
    reverses: UUID | None,
    lines: Iterable[JournalLine],
) -> bytes:
    """The SHA-256 of a journal's canonical form; `metadata` is already canonical."""
    form = [
        _JOURNAL_FORM,
        str(user_id),
        str(account_id),
        str(journal_id),
        description,
        reference_type,
        reference_id,
        metadata,
        _text(reverses),
        [[kind, book, contra, f"{amount:f}", _text(wallet)] for kind, book, contra, amount, wallet in lines],
    ]
    return hashlib.sha256(_encode(form).encode()).digest()
