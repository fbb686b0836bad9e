r"""What a row of the audit trail may say, and the chain that the rows of a subject make. Pure.

A row's canonical form is a JSON array in the form of RFC 8785 (no spaces, minimal escapes, UTF-8), in which every value
is a string or null:

    ["topcoin/audit/1", user_id, id, sequence, actor, action, object_type, object_id, changes, reason, ip_address,
     user_agent, request_id, session_id, metadata, created_at]

Ids are lower-case UUIDs; `changes` and `metadata` are the text of their own RFC 8785 form, and hold no other numbers
than whole ones; `ip_address` is an IPv4 address in four decimal parts or an IPv6 address as RFC 5952 writes it;
`created_at` is UTC with six decimals and `Z`. Then

    entry_hash = SHA-256(entry_hash of the subject's row before, or 32 zero bytes ‖ canonical form)
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import rfc8785

from topcoin.audit.errors import ReasonRequired, Unrecordable

HASH_BYTES: Final = 32
"""SHA-256."""

FIRST_PREVIOUS_HASH: Final = bytes(HASH_BYTES)
"""What the first row of a subject's chain names as its predecessor's hash."""

HOUSE_USER_ID: Final = UUID("00000000-0000-7000-8000-000000000001")
"""The actor where no person acted: a schedule, or the operator at the console."""

REDACTED: Final = "[redacted]"
"""Stands where a secret would, so that a row tells that one changed and not what it was."""

_ROW_FORM: Final = "topcoin/audit/1"
_SECRET_WORDS: Final = frozenset(
    {
        *("authorization", "cookie", "credential", "credentials", "csrf", "hash", "hashed", "mnemonic", "otp", "totp"),
        *("passphrase", "passwd", "password", "passwords", "pin", "secret", "secrets", "token", "tokens"),
    }
)
_SECRET_PAIRS: Final = frozenset(
    {("api", "key"), ("private", "key"), ("signing", "key"), ("recovery", "code"), ("recovery", "codes")}
)
_PUBLIC_HASHES: Final = frozenset(
    {"transaction_hash", "content_hash", "entry_hash", "previous_hash", "evidence_hash", "file_hash", "document_hash"}
)
"""Hashes that prove something to everybody, and open nothing."""
_NAMES_A_ROW: Final = ("_id", "_at")
"""`api_key_id` and `token_expires_at` are about a secret; they are none."""
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_PASSWORD_HASH: Final = re.compile(r"\$(argon2(id|i|d)|scrypt|pbkdf2[a-z0-9-]*|2[abxy])\$")
"""How hashes of passwords begin, in PHC and in crypt's form: a secret under whatever name."""
_INTEGER_MAX: Final = 2**53 - 1
_NUL: Final = "\x00"


Changes = Mapping[str, Mapping[str, Any]]
"""For each field that changed, what it was `before` and what it is `after`."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is recorded: each package names its own, beside the service that performs it.

    A sensitive one is not recorded, and so not performed, without a reason.
    """

    code: str
    sensitive: bool = False


class AuditRow(NamedTuple):
    """One row as it is hashed, every column; `changes` and `metadata` in canonical form."""

    user_id: UUID
    id: UUID
    sequence: int
    actor: UUID
    action: str
    object_type: str | None
    object_id: str | None
    changes: str
    reason: str | None
    ip_address: str | None
    user_agent: str | None
    request_id: str | None
    session_id: UUID | None
    metadata: str
    created_at: datetime
    previous_hash: bytes
    entry_hash: bytes


# -- The chain -------------------------------------------------------------------------------------------------------


def chain_hash(row: AuditRow) -> bytes:
    """The hash that a row must have, where it stands in its chain."""
    return hashlib.sha256(row.previous_hash + canonical_row(row)).digest()


def canonical_row(row: AuditRow) -> bytes:
    """The bytes that are hashed for a row."""
    form = [
        _ROW_FORM,
        str(row.user_id),
        str(row.id),
        str(row.sequence),
        str(row.actor),
        row.action,
        row.object_type,
        row.object_id,
        row.changes,
        row.reason,
        row.ip_address,
        row.user_agent,
        row.request_id,
        None if row.session_id is None else str(row.session_id),
        row.metadata,
        _moment(row.created_at),
    ]
    return rfc8785.dumps(cast("list[Any]", form))


def canonical_json(value: Mapping[str, Any]) -> str:
    """The RFC 8785 text of a JSON object. Raises Unrecordable."""
    try:
        text = rfc8785.dumps(dict(value)).decode()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise Unrecordable(f"this has no canonical form ({error}); write it as plain text") from None
    return text


def canonical_stored_json(text: str) -> str:
    """The canonical form of an object as the database prints it. Raises Unrecordable for what was never recorded."""
    try:
        value = json.loads(text, parse_float=_refuse_number, parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:
        raise Unrecordable(f"the stored text has no canonical form ({error}); it was not recorded so") from None
    return canonical_json(value)


def _refuse_number(text: str) -> Any:  # noqa: ANN401 - it never returns
    msg = f"{text} is not a whole number"
    raise ValueError(msg)


# -- What a row says -------------------------------------------------------------------------------------------------


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What changed, as `{"field": {"before": …, "after": …}}`, in plain JSON and without secrets.

    A field that is missing on one side counts as None there. Equal values are no change, whatever they are written
    like: 1.0 and 1.00 are one amount. Of a secret it is told that it changed, and whether there was one.
    """
    fields = [*before, *(name for name in after if name not in before)]
    return {
        name: {"before": plain(before.get(name), name), "after": plain(after.get(name), name)}
        for name in fields
        if _differ(before.get(name), after.get(name))
    }


def recordable_changes(changes: Changes) -> dict[str, dict[str, Any]]:
    """Changes as `diff` gives them, or as somebody wrote them down without it: plain, and without secrets."""
    return {
        name: {side: plain(change.get(side), name) for side in ("before", "after")} for name, change in changes.items()
    }


def _differ(one: Any, other: Any) -> bool:  # noqa: ANN401 - any value of a column
    return one != other or isinstance(one, bool) is not isinstance(other, bool)


def plain(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any value in, any JSON out
    """A value as JSON with whole numbers alone, and REDACTED where it, or what is in it, is secret by name or form.

    Decimals become text, exactly; times ISO 8601 in UTC; enums their values. Raises Unrecordable for floats, bytes,
    NUL characters and whatever else has no plain form.
    """
    if value is not None and not isinstance(value, bool) and is_secret(name):
        return REDACTED
    match value:
        case Enum():
            return plain(value.value, name)
        case Mapping():
            items = cast("Mapping[Any, Any]", value).items()
            return {_text(key): plain(item, _text(key)) for key, item in items}
        case set() | frozenset():
            return sorted((plain(item, name) for item in cast("frozenset[Any]", value)), key=str)
        case list() | tuple():
            return [plain(item, name) for item in cast("Sequence[Any]", value)]
        case _:
            return _plain_scalar(value)


def _plain_scalar(value: Any) -> str | int | None:  # noqa: ANN401, PLR0911 - one return for each type
    match value:
        case None | bool():
            return value
        case str():
            return REDACTED if _PASSWORD_HASH.search(value) else _text(value)
        case int() if abs(value) <= _INTEGER_MAX:
            return value
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case datetime() if value.tzinfo is not None:
            return _moment(value)
        case date() if not isinstance(value, datetime):
            return value.isoformat()
        case UUID() | IPv4Address() | IPv6Address():
            return str(value)
        case _:
            raise Unrecordable(f"this {type(value).__name__} cannot be recorded exactly; give it as text")


def _text(value: Any) -> str:  # noqa: ANN401 - what is no text is refused
    if not isinstance(value, str) or _NUL in value:
        raise Unrecordable("only text without NUL characters can be recorded here")
    return value


def is_secret(name: str) -> bool:
    """Whether what goes by this name is never stored in a trail."""
    words = [word.lower() for word in _WORDS.findall(name)]
    plain_name = "_".join(words)
    if plain_name in _PUBLIC_HASHES or plain_name.endswith(_NAMES_A_ROW):
        return False
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))


def checked_reason(action: Action, reason: str | None) -> str | None:
    """The reason without the space around it; None where there is none. Raises ReasonRequired, Unrecordable."""
    said = _text(reason).strip() if reason is not None else ""
    if action.sensitive and not said:
        raise ReasonRequired(f"say why: {action.code} is not done without a reason")
    return said or None


def storable_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """An IP address in the one form in which it is stored; None for what is none, such as the path of a socket.

    An IPv4 address that came over IPv6 is the IPv4 address; what names a local interface behind `%` is cut off.
    """
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
