"""What the audit trail is chained by. Pure."""

from typing import Final

HASH_BYTES: Final = 32
"""SHA-256."""

FIRST_PREVIOUS_HASH: Final = bytes(HASH_BYTES)
"""What the first row of a subject's chain names as its predecessor's hash."""
