"""The life of the server: who starts it, who stops it, and what becomes of it when somebody is killed."""

import os
import select
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from topcoin.infra.database.embedded import EmbeddedServer, postmaster
from topcoin.infra.database.embedded import server as server_module
from topcoin.infra.database.embedded.errors import ClusterInUse, ServerFailed, StillInUse
from topcoin.infra.database.embedded.installation import installation_for
from topcoin.infra.database.embedded.system_user import server_user

from .conftest import StartUser, await_in


def ask(server: EmbeddedServer, question: str, user: str = "postgres") -> str:
    with psycopg.connect(server.url(user)) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return str(row[0])


def process_id(server: EmbeddedServer) -> int:
    found = server.status().process_id
    assert found is not None
    return found


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


def test_runs_for_as_long_as_it_is_used(server: EmbeddedServer) -> None:
    assert not server.status().running
    with server.in_use():
        status = server.status()
        assert (status.running, status.in_use, status.pinned) == (True, True, False)
        assert ask(server, "SELECT 1") == "1"
    status = server.status()
    assert (status.running, status.in_use, status.process_id) == (False, False, None)
    assert not status.socket_folder.exists()


def test_status_makes_nothing(server: EmbeddedServer) -> None:
    assert not server.status().running
    assert not server.stop()
    assert not server.data_dir.exists()


def test_last_one_out_stops_it(server: EmbeddedServer, start_user: StartUser) -> None:
    other = start_user()
    await_in(other)
    with server.in_use():
        first = process_id(server)
        leave(other)
        assert process_id(server) == first
    assert not server.status().running


def test_first_one_out_leaves_it_to_the_others(server: EmbeddedServer, start_user: StartUser) -> None:
    with server.in_use():
        other = start_user()
        await_in(other)
    assert server.status().running
    leave(other)
    assert not server.status().running


def test_processes_that_come_at_once_share_one_server(server: EmbeddedServer, start_user: StartUser) -> None:
    """All begin with an empty data folder; one makes the cluster and starts the server for all."""
    processes = [start_user() for _ in range(3)]
    for process in processes:
        await_in(process)
    assert server.log.read_text().count("ready to accept connections") == 1
    assert [each.name for each in server.data_dir.glob("postgres.new-*")] == []
    for process in processes:
        leave(process)
    assert not server.status().running


def test_killed_starter_leaves_no_trap(server: EmbeddedServer, start_user: StartUser) -> None:
    """The server outlives the one who started it; the next user finds it, and stops it as the last one out."""
    starter = start_user()
    await_in(starter)
    orphan = process_id(server)
    starter.kill()
    starter.wait()
    assert server.status().running
    assert not server.status().in_use
    with server.in_use():
        assert process_id(server) == orphan
    assert not server.status().running


def test_interrupted_start_leaves_nothing_running(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedServer, "_await_readiness", interrupt)
        with pytest.raises(KeyboardInterrupt), server.in_use():
            pytest.fail("the server was not ready")
    assert not server.status().running
    with server.in_use():
        assert ask(server, "SELECT 1") == "1"


def test_recovers_after_the_server_was_killed(data_dir: Path) -> None:
    """What was committed before kill -9 is there after it, although users of the dead server are still in."""
    durable = EmbeddedServer(data_dir)
    with durable.in_use():
        with psycopg.connect(durable.url("topcoin_owner")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        killed = process_id(durable)
        os.kill(killed, signal.SIGKILL)
        with durable.in_use():
            assert process_id(durable) != killed
            assert ask(durable, "SELECT answer FROM kept", "topcoin_owner") == "42"
        assert ask(durable, "SELECT answer FROM kept", "topcoin_owner") == "42"
    assert not durable.status().running


def test_starts_although_another_process_has_the_id_of_the_killed_server(server: EmbeddedServer) -> None:
    """As after the restart of a container; PostgreSQL by itself would refuse for as long as that process lives."""
    with server.in_use():
        os.kill(process_id(server), signal.SIGKILL)
    user = server_user(server.cluster)
    with subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE, cwd="/", **user.identity()) as other:
        stale = server.cluster / "postmaster.pid"
        lines = stale.read_text().splitlines()
        stale.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        with server.in_use():
            assert process_id(server) != other.pid
        other.communicate(b"\n")


def test_refuses_a_folder_on_which_a_foreign_server_works(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.in_use():
        pass
    user = server_user(server.cluster)
    postgres = installation_for(user).program("postgres")
    arguments = ["-D", server.cluster, "-c", f"unix_socket_directories={server.cluster}", "-c", "listen_addresses="]
    foreign = subprocess.Popen(  # noqa: S603 - PostgreSQL, as somebody might start it by hand
        [postgres, *arguments], stderr=subprocess.PIPE, cwd="/", text=True, **user.identity()
    )
    try:
        assert foreign.stderr is not None
        assert any("ready to accept connections" in line for line in foreign.stderr)
        monkeypatch.setattr(postmaster, "_ENDING_SECONDS", 0)
        with pytest.raises(ClusterInUse, match=f"the process {foreign.pid}"), server.in_use():
            pytest.fail("two servers work on one folder")
        assert foreign.poll() is None, "the foreign server was stopped"
        # Where there is no /proc, PostgreSQL itself notices.
        monkeypatch.setattr(postmaster, "_PROCESSES", Path("/nonexistent"))
        with pytest.raises(ClusterInUse), server.in_use():
            pytest.fail("two servers work on one folder")
    finally:
        foreign.send_signal(signal.SIGINT)
        foreign.communicate()


def test_pinned_server_stays_until_it_is_stopped(server: EmbeddedServer) -> None:
    server.start()
    first = process_id(server)
    with server.in_use():
        assert process_id(server) == first
    assert (server.status().running, server.status().pinned) == (True, True)
    server.start()
    assert process_id(server) == first
    assert server.stop()
    assert (server.status().running, server.status().pinned) == (False, False)
    assert not server.stop()


def test_pinning_a_server_that_others_use_keeps_it_after_them(server: EmbeddedServer) -> None:
    with server.in_use():
        server.start()
    assert server.status().running


def test_stop_during_use_takes_effect_when_the_last_user_leaves(server: EmbeddedServer, start_user: StartUser) -> None:
    server.start()
    user = start_user()
    await_in(user)
    with pytest.raises(StillInUse):
        server.stop()
    assert (server.status().running, server.status().pinned) == (True, False)
    leave(user)
    assert not server.status().running


def test_forced_stop_during_use_ends_sessions(server: EmbeddedServer, start_user: StartUser) -> None:
    user = start_user()
    await_in(user)
    with closing(psycopg.connect(server.url("topcoin_owner"))) as connection:
        connection.execute("CREATE TABLE never_committed (n int)")
        assert server.stop(force=True)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    leave(user)
    with server.in_use():
        assert ask(server, "SELECT to_regclass('never_committed') IS NULL") == "True"


def test_installations_side_by_side_do_not_meet(server: EmbeddedServer) -> None:
    neighbour = EmbeddedServer(server.data_dir.parent / "neighbour", {"fsync": "off"})
    identity = "SELECT system_identifier FROM pg_control_system()"
    with server.in_use():
        with neighbour.in_use():
            assert ask(server, identity) != ask(neighbour, identity)
        assert not neighbour.status().running
        assert ask(server, "SELECT 1") == "1"


def test_one_folder_by_two_paths_is_one_server(server: EmbeddedServer, tmp_path: Path) -> None:
    with server.in_use():
        (tmp_path / "other way").symlink_to(server.data_dir)
        assert EmbeddedServer(tmp_path / "other way").status().process_id == process_id(server)


def test_server_that_cannot_start_is_explained_by_its_own_words(server: EmbeddedServer) -> None:
    with server.in_use():
        pass
    with (server.cluster / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")
    with pytest.raises(ServerFailed, match="no_such_setting"), server.in_use():
        pytest.fail("the server started")
    assert not server.status().running


def test_server_settings_hold_while_we_run_it(server: EmbeddedServer) -> None:
    server.server_settings["work_mem"] = "12MB"
    with server.in_use():
        assert ask(server, "SHOW work_mem") == "12MB"
        assert ask(server, "SHOW fsync") == "off"


def test_server_is_detached_and_sees_none_of_our_secrets(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPCOIN_SECRET", "hidden")
    with server.in_use():
        found = process_id(server)
        assert os.getsid(found) == found, "Ctrl-C would reach the server"
        environment = Path(f"/proc/{found}/environ")
        assert not environment.exists() or b"TOPCOIN" not in environment.read_bytes()


def test_leaving_after_the_data_folder_was_removed(server: EmbeddedServer) -> None:
    """The server notices by itself that its folder is gone, and ends."""
    with server.in_use():
        found = process_id(server)
        shutil.rmtree(server.data_dir)
    assert not server.data_dir.exists()
    process = os.pidfd_open(found)
    signal.pidfd_send_signal(process, signal.SIGINT)
    assert select.select([process], [], [], 60)[0] == [process]
    os.close(process)
    server.socket_folder.rmdir()


def test_destroying_leaves_no_data(server: EmbeddedServer) -> None:
    server.start()
    server.destroy()
    assert not server.status().running
    assert not server.cluster.exists()
    server.destroy()


def test_large_log_is_turned_over(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.in_use():
        pass
    monkeypatch.setattr(server_module, "_LOG_BYTES", 1)
    before = server.log.read_text()
    with server.in_use():
        pass
    assert server.log.with_suffix(".log.1").read_text() == before
