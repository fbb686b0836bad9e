"""Keys, the hash that tells one request from another (HTT-2), and kept answers. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from topcoin.http.errors import IdempotencyKeyRequired, InvalidIdempotencyKey

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"

KEY_LENGTH_MAX: Final = 255
HASH_BYTES: Final = 32
KEPT_FOR: Final = timedelta(days=1)

KEPT_HEADERS: Final = ("content-type", "location")
"""The headers that belong to the answer. The others belong to one exchange, and cookies to one sign-in."""

_KEY: Final = re.compile(rf"[\x21-\x7E]{{1,{KEY_LENGTH_MAX}}}")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered to a command that was carried out."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


def read_key(sent: list[str]) -> str:
    """The key among the values of the header. Raises IdempotencyKeyRequired, InvalidIdempotencyKey."""
    match sent:
        case []:
            raise IdempotencyKeyRequired(
                f"send a new random value, such as a UUID, in the header {IDEMPOTENCY_HEADER}, and the same one when "
                "you repeat the request"
            )
        case [key] if _KEY.fullmatch(key):
            return key
        case _:
            raise InvalidIdempotencyKey(
                f"send one {IDEMPOTENCY_HEADER} of 1 to {KEY_LENGTH_MAX} visible ASCII characters, such as a UUID"
            )


def input_hash(method: str, path: str, query: bytes, body: bytes) -> bytes:
    """The SHA-256 that tells requests apart; each part is preceded by its length, so that no two parts run together."""
    digest = sha256()
    for part in (method.encode(), path.encode(), query, body):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()
