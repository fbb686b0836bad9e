"""The operating system's user that the server runs as. PostgreSQL refuses root, who could damage everything."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

from topcoin.infra.database.embedded.errors import NotPermitted

PREFERRED = ("topcoin", "postgres", "nobody")
"""Whom root runs the server as: the first of these users that exists."""


class Identity(TypedDict, total=False):
    """Arguments of `subprocess` that make a child process run as another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user with its own group alone: supplementary groups are not handed to the server."""

    uid: int
    gid: int
    name: str

    @classmethod
    def of(cls, uid: int) -> Self:
        """The user with a number, which need not have a name."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(uid, os.getegid() if uid == os.geteuid() else uid, str(uid))
        return cls(uid, entry.pw_gid, entry.pw_name)

    @property
    def is_us(self) -> bool:
        """Whether this process already runs as that user."""
        return self.uid == os.geteuid()

    def identity(self) -> Identity:
        """What makes a child process run as this user."""
        return Identity() if self.is_us else Identity(user=self.uid, group=self.gid, extra_groups=[])

    def may_traverse(self, folder: Path) -> bool:
        """Whether the mode bits of a folder and of all that lead to it let this user through."""
        return all(self._may(place, stat.S_IXOTH) for place in (folder, *folder.parents))

    def may_run(self, program: Path) -> bool:
        """Whether this user can reach, read and execute a program."""
        return self.may_traverse(program.parent) and self._may(program, stat.S_IROTH | stat.S_IXOTH)

    def may_read(self, file: Path) -> bool:
        """Whether this user can reach and read a file."""
        return self.may_traverse(file.parent) and self._may(file, stat.S_IROTH)

    def give(self, path: Path) -> None:
        """Make this user the owner of what we have just made."""
        if not self.is_us:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            wanted <<= 6
        elif status.st_gid == self.gid:
            wanted <<= 3
        return status.st_mode & wanted == wanted


def server_user(cluster: Path) -> SystemUser:
    """Who runs the server of a cluster: we ourselves; for root, its owner, or else the first preferred user.

    Raises:
        NotPermitted: the cluster belongs to somebody else, or nobody fit for it is found.

    """
    us = os.geteuid()
    owner = SystemUser.of(cluster.stat().st_uid) if cluster.exists() else None
    if us != 0:
        if owner and not owner.is_us:
            raise NotPermitted(f"the database in {cluster} belongs to the user {owner.name}: run as {owner.name}")
        return SystemUser.of(us)
    if owner and not owner.is_us:
        return owner
    for name in PREFERRED:
        try:
            return SystemUser.of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise NotPermitted(
        f"PostgreSQL does not run as root, and none of the users {', '.join(PREFERRED)} exists: make one with "
        "`useradd --system topcoin`"
    )
