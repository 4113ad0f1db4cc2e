"""Workers on a cluster: how they are started, asked, lost and ended. What runs in them here only echoes."""

from __future__ import annotations

import functools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crestline.ray import Cluster, ClusterError, Launcher, Worker, WorkerEnd, WorkerLost

if TYPE_CHECKING:
    from tests.ray.conftest import Nodes


def echo() -> Callable[[str], WorkerEnd]:
    """What gives back its frames; made in a function, so that it is sent to nodes that have no tests."""

    class Echo:
        def __init__(self, name: str) -> None:
            import queue

            self.name = name
            self.frames: queue.Queue[bytes] = queue.Queue()

        def send(self, frames: list[bytes]) -> None:
            import os

            for frame in frames:
                if frame == b"fail":
                    raise ValueError("frame 3 has no end")
                if frame == b"name":
                    frame = f"{self.name} {os.getpid()}".encode()
                self.frames.put(frame)

        def receive(self, wait_s: float) -> list[bytes]:
            import queue

            try:
                return [self.frames.get(timeout=wait_s)]
            except queue.Empty:
                return []

        def close(self) -> None:
            return

    return Echo


def said(worker: Worker, *frames: bytes) -> list[bytes]:
    """What an echo gives back of frames."""
    worker.send(list(frames))
    given: list[bytes] = []
    while len(given) < len(frames):
        given += worker.receive(10.0)
    return given


def pid_of(worker: Worker) -> int:
    """The process of an echo."""
    return int(said(worker, b"name")[0].split()[1])


def groups(ray: Any) -> list[str]:
    """States of the placement groups of a cluster that this process is connected to."""
    return [group["state"] for group in ray.util.placement_group_table().values()]


def test_each_worker_has_a_node_of_its_own_and_takes_and_gives_frames(nodes: Nodes) -> None:
    with Cluster(nodes.address) as cluster:
        workers = cluster.start(end=echo())
        assert len(workers) == 2
        assert len({worker.name for worker in workers}) == 2
        ids = {node["NodeID"][:6] for node in nodes.ray.nodes() if node["Alive"]}
        assert {worker.name.split("/")[1] for worker in workers} == ids
        for worker in workers:
            assert said(worker, b"name")[0].split()[0].decode() == worker.name
            assert worker.receive(0.0) == []
            frames = [bytes([size % 251]) * size for size in (0, 1, 1_000, 300_000)]
            assert said(worker, *frames) == frames


def test_the_end_gives_the_nodes_back_and_ends_what_was_begun(nodes: Nodes) -> None:
    for _ in range(2):
        cluster = Cluster(nodes.address)
        workers = cluster.start(2, end=echo())
        pids = {worker.name: pid_of(worker) for worker in workers}
        workers[0].close()
        assert said(workers[1], b"still") == [b"still"]
        with pytest.raises(WorkerLost, match="^it was killed by `ray.kill`$"):
            workers[0].receive(1.0)
        workers[1].close()
        assert set(groups(nodes.ray)) == {"REMOVED"}
        cluster.close()
        assert not nodes.ray.is_initialized()
        wait_until(functools.partial(no_process_is_left, list(pids.values())))


def test_a_connection_that_was_there_stays(nodes: Nodes) -> None:
    nodes.ray.init(address=nodes.address, log_to_driver=False)
    try:
        for address in ("auto", nodes.address):
            with Cluster(address) as cluster:
                cluster.start(1, end=echo())
            assert nodes.ray.is_initialized()
        wait_until(lambda: set(groups(nodes.ray)) == {"REMOVED"})
        with pytest.raises(ClusterError, match="this process is connected to the cluster at"):
            Cluster("127.0.0.1:1")
    finally:
        nodes.ray.shutdown()


def test_more_workers_than_nodes_are_refused(nodes: Nodes) -> None:
    with Cluster(nodes.address) as cluster:
        with pytest.raises(ClusterError) as refused:
            cluster.start(3, end=echo())
    assert str(refused.value) == "the cluster has 2 nodes with a CPU, 3 workers need 3"
    assert "--workers 2" in refused.value.hint
    with Cluster(nodes.address) as cluster:
        with pytest.raises(ClusterError, match="no node with 64 CPUs"):
            cluster.start(end=echo(), cpus=64)


def test_nodes_that_are_taken_are_told_from_nodes_that_are_missing(nodes: Nodes) -> None:
    nodes.ray.init(address=nodes.address, log_to_driver=False)
    try:
        first = Cluster()
        first.start(2, end=echo())
        with pytest.raises(ClusterError, match="the nodes had no CPU free for each of 1 worker within 0.5 s"):
            Cluster().start(1, end=echo(), wait_s=0.5)
        assert "PENDING" not in groups(nodes.ray)
        first.close()
        with Cluster() as again:
            assert len(again.start(2, end=echo())) == 2
    finally:
        nodes.ray.shutdown()


def test_a_killed_worker_is_lost_with_the_reason_in_one_line(nodes: Nodes) -> None:
    with Cluster(nodes.address) as cluster:
        first, second = cluster.start(2, end=echo())
        pid = pid_of(first)
        killer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(WorkerLost) as lost:
            first.receive(60.0)
        killer.join()
        assert str(lost.value).startswith("its worker process has died. Worker exit type: SYSTEM_ERROR")
        assert "\n" not in str(lost.value) and "common causes" not in str(lost.value)
        with pytest.raises(WorkerLost):
            first.send([b"more"])
        assert said(second, b"alive") == [b"alive"]


def test_what_fails_in_a_worker_is_told(nodes: Nodes) -> None:
    with Cluster(nodes.address) as cluster:
        worker = cluster.start(1, end=echo())[0]
        with pytest.raises(WorkerLost) as lost:
            worker.send([b"fail"])
        assert str(lost.value) == "frame 3 has no end"


def test_a_node_without_crestline_or_with_another_is_named(nodes: Nodes, tmp_path: Any) -> None:
    package = tmp_path / "crestline"
    package.mkdir()
    (package / "__init__.py").write_text("")
    environment = {"env_vars": {"PYTHONPATH": str(tmp_path)}}
    with Cluster(nodes.address) as cluster:
        with pytest.raises(ClusterError) as missing:
            cluster.start(1, runtime_env=environment)
    assert "cannot import crestline: cannot import name '_native'" in str(missing.value)
    assert missing.value.hint.startswith("pip install 'crestline[ray]==")
    (package / "_native.py").write_text("__version__ = '0.0.1'")
    with Cluster(nodes.address) as cluster:
        with pytest.raises(ClusterError, match="has crestline 0.0.1, this process "):
            cluster.start(1, runtime_env=environment)


@pytest.mark.parametrize("address", ["127.0.0.1", "host:", "127.0.0.1:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    with pytest.raises(ClusterError):
        Cluster(address)


def test_an_address_where_nothing_of_ray_is_fails_at_once() -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(ClusterError, match="what listens at .* is not a Ray cluster"):
            Cluster(f"127.0.0.1:{port}")
        answering.join()
    with pytest.raises(ClusterError, match="nothing of Ray is reached at") as refused:
        Cluster(f"127.0.0.1:{port}")
    assert "6379" in refused.value.hint


def test_auto_is_the_cluster_that_the_environment_names(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    with Cluster() as cluster:
        assert len(cluster.start(end=echo())) == 2


def test_a_cluster_that_is_gone_but_noted_is_told_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    (folder / "ray").mkdir()
    note = folder / "ray/ray_current_cluster"
    note.write_text("127.0.0.1:1")
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ClusterError) as refused:
        Cluster("auto")
    assert "127.0.0.1:1" in str(refused.value) and str(note) in str(refused.value)
    assert "ray stop" in refused.value.hint


def test_ray_s_own_handler_of_sigterm_is_put_back(nodes: Nodes) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Cluster(nodes.address):
        assert signal.getsignal(signal.SIGTERM) == before


def test_a_launcher_ends_what_it_started(nodes: Nodes) -> None:
    with Launcher() as launcher:
        with pytest.raises(ClusterError, match="3 workers need 3"):
            launcher(nodes.address, 3)
        assert not nodes.ray.is_initialized()
    with Launcher() as launcher:
        assert len(launcher(nodes.address, 2)) == 2
        assert nodes.ray.is_initialized()
    assert not nodes.ray.is_initialized()


def no_process_is_left(pids: list[int]) -> bool:
    """Whether all of these have ended."""
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        return False
    return True


def wait_until(reached: Callable[[], bool]) -> None:
    """Waits for what comes about in the background, half a minute at most."""
    end = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < end, "it did not come about within 30 s"
        time.sleep(0.05)
