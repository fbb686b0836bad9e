"""One line of a file: from its bytes to a journal, and from the ledger's answer to a line of results.

The format, for people: docs/reference/ledger-files.md.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from enum import StrEnum
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from topcoin.kernel.errors import TopCoinError
from topcoin.ledger.chart.domain import AnyBook, Book, EntryType, HouseBook, ReferenceType
from topcoin.ledger.errors import InvalidJournal, UnknownBook, UnknownEntryType, WrongReference
from topcoin.ledger.journal_files.errors import (
    DuplicateKey,
    InvalidField,
    InvalidJson,
    LineTooLong,
    MissingField,
    UnknownField,
)
from topcoin.ledger.posting.domain import LINES_MAX, Journal, Line, PostedEntry, PostingResult, PostingStatus, Reference

LINE_BYTES_MAX = 1 << 20
"""No journal is longer: its longest texts and most lines stay far below."""

_DETAIL_LENGTH_MAX = 500
_ID_LENGTH_MAX = 100
_UUID_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_NUMBER_FORM = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)

_JOURNAL_FIELDS = ("journal_id", "account_id", "entry_type", "description", "reference", "lines")
_JOURNAL_OPTIONS = ("metadata", "reverses", "user_id")
_REFERENCE_FIELDS = ("type", "id")
_LINE_FIELDS = ("book", "contra", "amount")
_LINE_OPTIONS = ("entry_type", "wallet_id")

_BOOKS: Mapping[str, AnyBook] = {book.value: book for book in (*Book, *HouseBook)}
_ENTRY_TYPES: Mapping[str, EntryType] = {each.value: each for each in EntryType}
_REFERENCE_TYPES: Mapping[str, ReferenceType] = {each.value: each for each in ReferenceType}

_JsonObject = dict[str, Any]
_Name = TypeVar("_Name", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file, numbered from 1; `content` is None where the line was too long to be kept."""

    number: int
    content: bytes | None


@dataclass(frozen=True, slots=True)
class LineDraft:
    """An entry asked for. A custody leg may leave its wallet to be filled in."""

    entry_type: EntryType
    book: AnyBook
    contra: AnyBook
    amount: Decimal | str
    wallet_id: UUID | None

    @property
    def lacks_wallet(self) -> bool:
        """Whether it moves custody without saying where."""
        return self.contra is HouseBook.CUSTODY and self.wallet_id is None

    def complete(self, development_wallet: UUID | None) -> Line:
        """The line, in the development wallet where it lacks one of its own."""
        wallet_id = development_wallet if self.lacks_wallet else self.wallet_id
        return Line(self.entry_type, self.book, self.contra, cast("Decimal", self.amount), wallet_id)


@dataclass(frozen=True, slots=True)
class JournalDraft:
    """A journal as a line of a file has it: the account's owner and a wallet may still be missing."""

    journal_id: UUID
    account_id: UUID
    user_id: UUID | None
    description: str
    reference: Reference
    lines: tuple[LineDraft, ...]
    metadata: Mapping[str, Any]
    reverses: UUID | None

    @property
    def lacks_wallet(self) -> bool:
        """Whether some line moves custody without saying where."""
        return any(line.lacks_wallet for line in self.lines)

    def complete(self, user_id: UUID, development_wallet: UUID | None) -> Journal:
        """The journal. Raises the errors of a journal that is not well formed."""
        return Journal(
            journal_id=self.journal_id,
            user_id=user_id,
            account_id=self.account_id,
            description=self.description,
            reference=self.reference,
            lines=tuple(line.complete(development_wallet) for line in self.lines),
            metadata=self.metadata,
            reverses=self.reverses,
        )


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of one line of the file."""

    line: int
    journal_id: str | None
    status: PostingStatus
    code: str | None = None
    detail: str | None = None
    entries: tuple[PostedEntry, ...] = ()

    def to_json(self) -> str:
        """The line of results, amounts as strings."""
        return json.dumps(
            {
                "journal_id": self.journal_id,
                "line": self.line,
                "status": self.status,
                "code": self.code,
                "detail": self.detail,
                "entries": [
                    {
                        "sequence": entry.sequence,
                        "balance_after": _amount_text(entry.balance_after),
                        "contra_balance_after": _amount_text(entry.contra_balance_after),
                        "entry_hash": entry.entry_hash.hex(),
                    }
                    for entry in self.entries
                ],
            },
            ensure_ascii=False,
        )


def refused_line(number: int, journal_id: str | None, error: TopCoinError) -> LineResult:
    """The result of a line that was not posted, and why."""
    detail = error.detail if len(error.detail) <= _DETAIL_LENGTH_MAX else f"{error.detail[:_DETAIL_LENGTH_MAX]}…"
    # What cannot be written as UTF-8 is shown by its number; the line of results must itself be readable.
    detail = detail.encode(errors="backslashreplace").decode()
    return LineResult(number, journal_id, PostingStatus.REFUSED, error.code, detail)


def posted_line(number: int, result: PostingResult) -> LineResult:
    """The result of a line that the ledger has answered."""
    if result.error is not None:
        return refused_line(number, str(result.journal_id), result.error)
    return LineResult(number, str(result.journal_id), result.status, entries=result.entries)


def read_json(content: bytes | None) -> _JsonObject:
    """The JSON object of a line, its numbers as exact Decimals."""
    if content is None:
        raise LineTooLong(
            f"a line holds at most {LINE_BYTES_MAX} bytes; split the journal, or end lines with a newline"
        )
    try:
        found = json.loads(
            content.decode(),
            parse_int=Decimal,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"the line is not UTF-8 ({error.reason} at byte {error.start}); encode the file as UTF-8"
        ) from None
    except (ValueError, RecursionError, DecimalException) as error:
        raise InvalidJson(f"the line is not JSON: {error or 'a number beyond all bounds'}") from None
    if not isinstance(found, dict):
        raise InvalidJson("the line is not a JSON object; write one journal a line")
    return cast("_JsonObject", found)


def journal_id_in(found: Mapping[str, Any]) -> str | None:
    """The id to answer under: what the line gives as its journal's, right or wrong, if it can be repeated."""
    given = found.get("journal_id")
    if not isinstance(given, str) or len(given) > _ID_LENGTH_MAX:
        return None
    return given.encode(errors="backslashreplace").decode()


def read_draft(found: _JsonObject) -> JournalDraft:
    """The journal that a line asks for. Raises what is wrong with its form."""
    _check_fields("journal", found, _JOURNAL_FIELDS, _JOURNAL_OPTIONS)
    reference = _object_in(found, "reference")
    _check_fields("reference", reference, _REFERENCE_FIELDS)
    entry_type = _named(_ENTRY_TYPES, UnknownEntryType, "entry type", _text(found, "entry_type"))
    metadata: _JsonObject = {} if found.get("metadata") is None else _object_in(found, "metadata")
    return JournalDraft(
        journal_id=_id(found, "journal_id"),
        account_id=_id(found, "account_id"),
        user_id=_optional_id(found, "user_id"),
        description=_text(found, "description"),
        reference=Reference(
            _named(_REFERENCE_TYPES, WrongReference, "reference type", _text(reference, "type")), _text(reference, "id")
        ),
        lines=_lines(found["lines"], entry_type),
        metadata=_plain(metadata),
        reverses=_optional_id(found, "reverses"),
    )


def _lines(found: object, entry_type: EntryType) -> tuple[LineDraft, ...]:
    if not isinstance(found, list) or not all(isinstance(line, dict) for line in cast("list[object]", found)):
        raise InvalidField("`lines` must be a list of objects")
    lines = cast("list[_JsonObject]", found)
    if len(lines) > LINES_MAX:
        raise InvalidJournal(f"a journal has 1 to {LINES_MAX} lines, not {len(lines)}")
    return tuple(_line(line, entry_type) for line in lines)


def _line(found: _JsonObject, entry_type: EntryType) -> LineDraft:
    _check_fields("line", found, _LINE_FIELDS, _LINE_OPTIONS)
    if found.get("entry_type") is not None:
        entry_type = _named(_ENTRY_TYPES, UnknownEntryType, "entry type", _text(found, "entry_type"))
    return LineDraft(
        entry_type=entry_type,
        book=_named(_BOOKS, UnknownBook, "book", _text(found, "book")),
        contra=_named(_BOOKS, UnknownBook, "book", _text(found, "contra")),
        amount=_amount(found["amount"]),
        wallet_id=_optional_id(found, "wallet_id"),
    )


def _check_fields(what: str, found: _JsonObject, required: Collection[str], optional: Collection[str] = ()) -> None:
    for name in required:
        if name not in found:
            raise MissingField(f"the {what} lacks `{name}`")
    if len(found) > len(required):
        for name in found:
            if name not in required and name not in optional:
                raise UnknownField(f"a {what} has no field {name!r}; put your own data into `metadata`")


def _text(found: _JsonObject, name: str) -> str:
    value = found[name]
    if not isinstance(value, str):
        raise InvalidField(f"`{name}` must be a string")
    return value


def _object_in(found: _JsonObject, name: str) -> _JsonObject:
    value = found[name]
    if not isinstance(value, dict):
        raise InvalidField(f"`{name}` must be an object")
    return cast("_JsonObject", value)


def _id(found: _JsonObject, name: str) -> UUID:
    value = found[name]
    if not isinstance(value, str) or not _UUID_FORM.fullmatch(value):
        raise InvalidField(f"`{name}` must be a UUID such as 0198c5a0-7c00-7000-8000-000000000000")
    return UUID(value)


def _optional_id(found: _JsonObject, name: str) -> UUID | None:
    return None if found.get(name) is None else _id(found, name)


def _amount(value: object) -> Decimal | str:
    if isinstance(value, Decimal) or (isinstance(value, str) and _NUMBER_FORM.fullmatch(value)):
        return value
    raise InvalidField('`amount` must be a number, best in a string: "12.50"')


def _named(names: Mapping[str, _Name], error: type[InvalidJournal], what: str, name: str) -> _Name:
    try:
        return names[name]
    except KeyError:
        raise error(f"there is no {what} {name!r}; see the chart of accounts") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> _JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise DuplicateKey(f"the key {repeated!r} is there twice; which one counts would be a guess")
    return found


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Metadata with its numbers as JSON has them everywhere else: whole ones exact, the others IEEE 754 doubles."""
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in cast("_JsonObject", value).items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value


def _amount_text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
