"""Bearer tokens (IDN-6). Pure but for the randomness.

A token has 256 random bits. It is kept as its SHA-256 and found by it: a hash made for passwords, slow on purpose,
would protect nothing more, as nobody can guess such a token; and a look-up by the hash tells nothing about the token
by the time that it takes.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Final

TOKEN_HASH_BYTES: Final = 32
"""SHA-256."""

API_KEY_PREFIX: Final = "tck_"
"""How every API key begins, so that scanners for leaked secrets recognise one."""

_TOKEN_BYTES: Final = 32
_SHOWN_LENGTH: Final = len(API_KEY_PREFIX) + 8
_CSRF_PURPOSE: Final = b"topcoin/csrf/1"


def new_token(prefix: str = "") -> str:
    """A new token, in letters that a cookie and a header take as they are."""
    return prefix + secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What a token is kept as and found by."""
    return hashlib.sha256(token.encode()).digest()


def shown_prefix(api_key: str) -> str:
    """How a key begins, to recognise it by; enough stays unknown."""
    return api_key[:_SHOWN_LENGTH]


def csrf_token(session_token: str) -> str:
    """What unsafe requests of a session must carry in a header.

    It follows from the session's token, so that it is bound to the session and kept nowhere; the token does not follow
    from it. Another site makes a browser send the cookie, but can neither read it nor set the header.
    """
    digest = hmac.digest(session_token.encode(), _CSRF_PURPOSE, hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")
