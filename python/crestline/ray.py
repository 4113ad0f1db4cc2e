"""Workers on the nodes of a Ray cluster: one actor a node, which runs its part of a load.

Carries frames of bytes between this process and the workers, starts them and ends them. What the frames say is none of
its business: that is `crestline._native`. Ray is imported only when a cluster is asked for.

    pip install 'crestline[ray]'
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol

from crestline.errors import CrestlineError

__all__ = ["Cluster", "ClusterError", "Launcher", "Worker", "WorkerEnd", "WorkerLost"]

# Longest time in which the address of a cluster takes a connection.
_REACHED_S = 5.0
# Longest time in which the nodes have a free CPU for each worker.
_PLACED_S = 30.0
# Longest time in which a worker's process is up; the environment of a job may have to be made first.
_STARTED_S = 120.0
# Longest silence of a worker beyond what it was asked to wait: then it counts as lost.
_SILENT_S = 30.0
# Longest time that a worker gets to end by itself.
_ENDED_S = 2.0
# Calls that a worker takes at a time: one that sends, one that receives, one that ends it.
_CALLS = 3
# Letters of a reason that Ray gives.
_LONGEST_REASON = 300

_WHICH_PORT = "the port is 6379 unless `ray start` was told another; that of `ray://` is 10001"
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
_SETTINGS_FRAME = 4

Handlers = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class ClusterError(CrestlineError):
    """Workers cannot be started on a cluster. Raised before any load; `hint` says what to do, or is empty."""

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.hint = hint


class WorkerLost(CrestlineError):
    """A worker is gone or answers no more; the text is Ray's reason in one line."""


class WorkerEnd(Protocol):
    """What runs in an actor: frames in, frames out, as `crestline._native.Worker` does it."""

    def send(self, frames: list[bytes]) -> None:
        """Takes frames."""

    def receive(self, wait_s: float) -> list[bytes]:
        """Waits up to `wait_s` seconds for at least one frame, and gives all that there are."""

    def close(self) -> None:
        """Ends its part of the work."""


class Worker:
    """One worker of a cluster, seen from the process that started it."""

    def __init__(self, cluster: Cluster, actor: Any, name: str) -> None:
        self._cluster = cluster
        self._actor = actor
        self.name = name
        """The node's address and the beginning of its id, as in `10.0.0.2/3fa9c1`."""

    def send(self, frames: list[bytes]) -> None:
        """Hands frames to the worker.

        Raises `WorkerLost` when it is dead, has failed, or does not answer for half a minute.
        """
        self._cluster.ask(self._actor.send.remote(frames), _SILENT_S)

    def receive(self, wait_s: float) -> list[bytes]:
        """Gives the frames that the worker has, after at most `wait_s` seconds for the first.

        Raises `WorkerLost` as `send` does. One thread may send while another receives.
        """
        asked = self._actor.receive.remote(wait_s)
        frames: list[bytes] = self._cluster.ask(asked, wait_s + _SILENT_S)
        return frames

    def close(self) -> None:
        """Ends the worker. Once no worker is left their nodes are given back."""
        self._cluster.let_go(self._actor)


class Cluster:
    """A connection to a Ray cluster and the workers started over it.

    `address` is `HOST:PORT`, `ray://HOST:PORT`, or `auto` for the cluster that this machine is a part of (or that
    `RAY_ADDRESS` names). A connection that this process has already is used and left as it is.
    """

    def __init__(self, address: str = "auto") -> None:
        self._ray = _import_ray()
        self._lock = threading.Lock()
        self._actors: list[Any] = []
        self._group: Any = None
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, address)
        elif address != "auto":
            self._expect(address)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(
        self,
        workers: int | None = None,
        *,
        cpus: float = 1,
        runtime_env: dict[str, Any] | None = None,
        end: Callable[[str], WorkerEnd] | None = None,
        wait_s: float = _PLACED_S,
    ) -> list[Worker]:
        """Starts workers, each on a node of its own; without a number, on every node that has the CPUs.

        `cpus` is what Ray keeps free for a worker; it limits nothing. `runtime_env` is Ray's, for this cluster's
        actors only. `end` makes what runs in an actor of a given name. Waits `wait_s` seconds for free nodes.
        """
        try:
            self._place(self._wanted(workers, cpus), cpus, wait_s)
            return self._begin(cpus, runtime_env, end)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends all workers, gives their nodes back, and ends the connection if it was made here.

        No thread may be asking a worker any more: the connection would end under it.
        """
        with self._lock:
            actors, self._actors = self._actors, []
            ours, self._ours = self._ours, False
        self._end(actors)
        if ours and self._ray.is_initialized():
            self._ray.shutdown()

    def ask(self, answer: Any, wait_s: float) -> Any:
        """Awaits what an actor gives, `wait_s` seconds at most, or raises `WorkerLost` with Ray's reason."""
        try:
            return self._ray.get(answer, timeout=wait_s)
        except self._ray.exceptions.GetTimeoutError:
            raise WorkerLost(f"it has not answered for {wait_s:.0f} s") from None
        except Exception as error:
            raise WorkerLost(_reason(error)) from None

    def let_go(self, actor: Any) -> None:
        """Ends an actor, if that is not done yet."""
        with self._lock:
            known = actor in self._actors
            if known:
                self._actors.remove(actor)
        if known:
            self._end([actor])

    def _end(self, actors: list[Any]) -> None:
        """Ends actors; with the last one the nodes are given back."""
        if not self._ray.is_initialized():
            return
        endings = [actor.close.remote() for actor in actors]
        if endings:
            self._quietly(self._ray.wait, endings, num_returns=len(endings), timeout=_ENDED_S)
        for actor in actors:
            self._quietly(self._ray.kill, actor)
        with self._lock:
            group = None if self._actors else self._group
            self._group = None if group is not None else self._group
        if group is not None:
            self._quietly(self._ray.util.remove_placement_group, group)

    def _expect(self, address: str) -> None:
        """Refuses when this process is connected to another cluster than the one that is meant."""
        if "://" in address:
            return
        connected = self._ray.get_runtime_context().gcs_address
        if _resolved(connected) != _resolved(address):
            raise ClusterError(
                f"this process is connected to the cluster at {connected}, not to {address}",
                "give 'auto' to use that one, or call ray.shutdown() first",
            )

    def _wanted(self, workers: int | None, cpus: float) -> int:
        """How many workers there will be; as many as nodes unless it is said."""
        nodes = self._ray.nodes()
        fit = sum(1 for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= cpus)
        if fit == 0:
            raise ClusterError(f"the cluster has no node with {_cpus(cpus)}")
        if workers is not None and workers > fit:
            raise ClusterError(
                f"the cluster has {_count(fit, 'node')} with {_cpus(cpus)}, {workers} workers need {workers}",
                f"ask for {fit} at most (--workers {fit}), or add nodes: each worker has a node of its own",
            )
        return fit if workers is None else workers

    def _place(self, workers: int, cpus: float, wait_s: float) -> None:
        """Takes a node for each worker."""
        self._group = self._ray.util.placement_group(
            [{"CPU": cpus}] * workers, strategy="STRICT_SPREAD"
        )
        if not self._group.wait(wait_s):
            raise ClusterError(
                f"the nodes had {_none(cpus)} free for each of {_count(workers, 'worker')} within {wait_s:g} s",
                "wait until other jobs are done, ask for fewer workers, or add nodes",
            )

    def _begin(
        self,
        cpus: float,
        runtime_env: dict[str, Any] | None,
        end: Callable[[str], WorkerEnd] | None,
    ) -> list[Worker]:
        """Starts an actor in each place, and in each actor its work."""
        strategy = self._ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy
        actor = self._ray.remote(num_cpus=cpus, max_restarts=0, max_concurrency=_CALLS)(
            _actor_class(end)
        )
        for place in range(self._group.bundle_count):
            options: dict[str, Any] = {"scheduling_strategy": strategy(self._group, place)}
            if runtime_env:
                options["runtime_env"] = runtime_env
            self._actors.append(actor.options(**options).remote())
        nodes = [self._answer(actor.about.remote(), "a worker") for actor in self._actors]
        names = [f"{node['address']}/{node['node'][:6]}" for node in nodes]
        if end is None:
            for name, node in zip(names, nodes, strict=True):
                _check_version(name, node)
        folder = os.getcwd()
        for name, started in zip(names, self._actors, strict=True):
            self._answer(started.begin.remote(name, folder), f"worker {name}")
        return [
            Worker(self, started, name) for name, started in zip(names, self._actors, strict=True)
        ]

    def _answer(self, answer: Any, who: str) -> Any:
        """What an actor says while it is started."""
        try:
            return self.ask(answer, _STARTED_S)
        except WorkerLost as lost:
            raise ClusterError(f"{who} did not start: {lost}") from None

    @staticmethod
    def _quietly(act: Callable[..., Any], *args: Any, **settings: Any) -> None:
        """Does what may fail because its object is gone already."""
        try:
            act(*args, **settings)
        except Exception:  # Ray's own errors are of many kinds, and at the end none matters.
            return


class Launcher:
    """Starts workers for the commands of this process, and ends them with it.

    Called by `crestline._native` with the address of a cluster and a number of workers, or none for all nodes.
    """

    def __init__(self) -> None:
        self._clusters: list[Cluster] = []

    def __call__(self, address: str, workers: int | None) -> list[Worker]:
        cluster = Cluster(address)
        self._clusters.append(cluster)
        return cluster.start(workers)

    def __enter__(self) -> Launcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._clusters:
            self._clusters.pop().close()


def _actor_class(end: Callable[[str], WorkerEnd] | None) -> type:
    """The class of the actors. Made here so that Ray sends it whole: the node may have no crestline, and can say so."""

    class CrestlineWorker:
        def __init__(self) -> None:
            self._end: Any = None

        def about(self) -> dict[str, str]:
            import importlib

            ray: Any = importlib.import_module("ray")
            about = {
                "address": ray.util.get_node_ip_address(),
                "node": ray.get_runtime_context().get_node_id(),
                "version": "",
                "error": "",
            }
            try:
                from crestline import _native

                about["version"] = _native.__version__
            except (ImportError, AttributeError) as error:
                about["error"] = str(error)
            return about

        def begin(self, name: str, folder: str) -> None:
            import os

            # Files that are named from the current folder are looked for in the same one, where the node has it.
            if os.path.isdir(folder):
                os.chdir(folder)
            if end is None:
                from crestline import _native

                self._end = _native.Worker(name)
            else:
                self._end = end(name)

        def send(self, frames: list[bytes]) -> None:
            self._end.send(frames)

        def receive(self, wait_s: float) -> list[bytes]:
            frames: list[bytes] = self._end.receive(wait_s)
            return frames

        def close(self) -> None:
            if self._end is not None:
                self._end.close()

    return CrestlineWorker


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.util.scheduling_strategies")
    except ImportError as error:
        raise ClusterError(
            f"the Python package ray cannot be imported: {error}", "pip install 'crestline[ray]'"
        ) from None
    return ray


def _connect(ray: Any, address: str) -> None:
    """Connects this process. Ray takes over SIGTERM when it does: that is put back."""
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    if named and named != "auto":
        _reach(named)
    else:
        _reach_the_last()
    in_main = threading.current_thread() is threading.main_thread()
    before: Handlers = signal.getsignal(signal.SIGTERM) if in_main else None
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        raise _unreachable(ray, address, error) from None
    finally:
        if in_main and before is not None:
            signal.signal(signal.SIGTERM, before)


def _unreachable(ray: Any, address: str, error: Exception) -> ClusterError:
    if address == "auto" and isinstance(error, ConnectionError):
        return ClusterError(
            "this machine is a part of no Ray cluster, and RAY_ADDRESS is not set",
            "give --ray the HOST:PORT of a cluster, or start one: ray start --head",
        )
    return ClusterError(
        f"no connection to the Ray cluster at {address}: {_reason(error)}", _WHICH_PORT
    )


def _reach(address: str) -> None:
    """Raises `ClusterError` unless a server of Ray's kind is there: Ray itself would wait minutes to say so."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        raise ClusterError(f"`{address}` is no address of a Ray cluster", "give HOST:PORT, or auto")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_S) as server:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return
            server.settimeout(_REACHED_S)
            server.sendall(_HTTP2_GREETING)
            answer = server.recv(9)
    except (OSError, OverflowError) as error:
        raise ClusterError(f"nothing of Ray is reached at {address}: {error}", _WHICH_PORT) from None
    if len(answer) < 4 or answer[3] != _SETTINGS_FRAME:
        raise ClusterError(f"what listens at {address} is not a Ray cluster", _WHICH_PORT)


def _reach_the_last() -> None:
    """The same for the cluster that this machine was last a part of, as Ray has noted it."""
    note = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
    try:
        address = note.read_text().strip()
    except OSError:
        return
    if not address:
        return
    try:
        _reach(address)
    except ClusterError as error:
        raise ClusterError(
            f"{error}; {note} names it", "`ray stop` clears that up, or give --ray another HOST:PORT"
        ) from None


def _resolved(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    try:
        return socket.gethostbyname(host), port
    except OSError:
        return host, port


def _check_version(name: str, node: dict[str, str]) -> None:
    from crestline import _native

    if node["error"]:
        raise ClusterError(
            f"node {name} cannot import crestline: {node['error']}",
            f"pip install 'crestline[ray]=={_native.__version__}' on each node",
        )
    if node["version"] != _native.__version__:
        raise ClusterError(
            f"node {name} has crestline {node['version']}, this process {_native.__version__}",
            "install the same version on each node",
        )


def _reason(error: BaseException) -> str:
    """An error of Ray's in one line: why, without advice and stack."""
    cause = getattr(error, "cause", None)
    text = " ".join(str(cause if isinstance(cause, BaseException) else error).split())
    why = text.rpartition("The actor is dead because ")[2].split(" Some common causes")[0]
    why = why.removesuffix(".")
    return why if len(why) <= _LONGEST_REASON else why[:_LONGEST_REASON] + "…"


def _cpus(cpus: float) -> str:
    return "a CPU" if cpus == 1 else f"{cpus:g} CPUs"


def _none(cpus: float) -> str:
    return "no CPU" if cpus == 1 else f"not {cpus:g} CPUs"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
