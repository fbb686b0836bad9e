"""The secret key, from which what must be signed or kept from forgery is derived; each use has a key of its own."""

import os
import secrets
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Final

from topcoin.infra.settings import InvalidSettings, Settings

_FILE: Final = "secret_key"
_RANDOM_BYTES: Final = 48


def derived_key(settings: Settings, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose; who learns it learns nothing of the others.

    Outside production a secret key is made on first use, in a file of the data folder that only its owner reads.
    Raises InvalidSettings where that file cannot be made or read.
    """
    key = settings.secret_key
    secret = _development_key(settings.data_dir) if key is None else key.get_secret_value()
    return digest(secret.encode(), purpose.encode(), sha256)


def _development_key(data_dir: Path) -> str:
    """The key in the data folder; of several processes that make one at once, the first one's holds."""
    file = data_dir / _FILE
    try:
        if not file.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            _create_whole(file, secrets.token_urlsafe(_RANDOM_BYTES))
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"the secret key in {file} cannot be made or read: {error}") from None


def _create_whole(file: Path, content: str) -> None:
    """Create a file with its content in one step, unless it has come to be meanwhile."""
    unfinished = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as stream:  # noqa: PTH123 - a descriptor is no path
            stream.write(content)
        os.link(unfinished, file)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink(missing_ok=True)
