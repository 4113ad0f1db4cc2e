"""Load from the two nodes of a real cluster on a simulated service: one run, nothing lost, nothing twice."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crestline.errors import RunFileError
from crestline.run import Run

if TYPE_CHECKING:
    from tests.ray.conftest import Nodes

PROMPTS = (
    "--model m --tokenizer-path builtin --dataset random --min-prompt-length 20 --max-prompt-length 60 --no-timestamp"
)
EIGHT = """
summary = "eight requests at a time"
max_num_seqs = 8
max_num_batched_tokens = 1024
request_overhead_ms = 0.5

[iteration]
base_ms = 3.0
prefill_us_per_token = 1.0
decode_us_per_sequence = 10.0
kv_ns_per_token = 0.0
noise = 0.05

[kv_cache]
tokens = 65_536
"""
"""A search finds its limit at about 14 users, where requests begin to wait."""


@dataclass
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str


def perf(*words: str) -> Ran:
    """`python -m crestline perf` in the current folder."""
    process = started(*words)
    out, err = process.communicate(timeout=120)
    return Ran(process.returncode, out, err)


def started(*words: str) -> subprocess.Popen[str]:
    """The same, while it runs."""
    command = [sys.executable, "-m", "crestline", "perf", *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd()
    )


def until_sound(measure: Callable[[str], tuple[Ran, Path]]) -> tuple[Ran, Path]:
    """Measures again where a busy machine made the client the bottleneck, which a run rightly tells; each time elsewhere."""
    for turn in range(4):
        ran, folder = measure(f"two-{turn}")
        if ran.code == 0 and "VOID" not in ran.out:
            break
    assert ran.code == 0, ran.err
    assert "VOID" not in ran.out
    return ran, folder


def columns(folder: Path, *names: str) -> dict[str, list[Any]]:
    """Columns of a run's requests, in the order of the requests' numbers."""
    rows = Run.open(folder).requests.select("index", *names).to_arrow().to_pylist()
    rows.sort(key=lambda row: row["index"])
    return {name: [row[name] for row in rows] for name in ("index", *names)}


def quantile(values: list[float], share: float) -> float:
    """As NumPy interpolates it."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def check_figures(folder: Path) -> None:
    """What is reported of a run is what its requests come to, all workers' together."""
    requests = columns(folder, "ttft", "tpot", "latency", "output_tokens", "input_tokens", "gaps")
    summary = json.loads((folder / "benchmark_summary.json").read_text())
    count = len(requests["index"])
    assert summary["Total Requests"] == count
    for key, name in (
        ("Avg Input Tokens", "input_tokens"),
        ("Avg Output Tokens", "output_tokens"),
    ):
        assert summary[key] == pytest.approx(sum(requests[name]) / count, abs=1e-4)
    gaps = [gap for gaps in requests["gaps"] for gap in gaps]
    table = json.loads((folder / "benchmark_percentile.json").read_text())
    rows = {row["Percentiles"]: row for row in table}
    for percent in (10, 50, 90, 99):
        row = rows[f"{percent}%"]
        for key, values in (
            ("TTFT (ms)", requests["ttft"]),
            ("TPOT (ms)", requests["tpot"]),
            ("ITL (ms)", gaps),
        ):
            expected = quantile(values, percent / 100) * 1000
            assert row[key] == pytest.approx(expected, abs=2e-4), (percent, key)


def check_sent_once(folder: Path, truth: Path) -> None:
    """What the service says it was sent is what the run has, each once; beside it there are only the tests before."""
    ids = columns(folder, "request_id")["request_id"]
    assert len(set(ids)) == len(ids)

    def all_are_written() -> bool:
        return set(ids) <= set(served(truth))

    end = time.monotonic() + 20
    while not all_are_written():
        assert time.monotonic() < end, "the service has not written what it was sent"
        time.sleep(0.1)
    of_run = [name for name in served(truth) if name in set(ids)]
    assert sorted(of_run) == sorted(ids)


def served(truth: Path) -> list[str]:
    """Ids of all requests that a service has answered."""
    with truth.open() as lines:
        return [row["request_id"] for row in csv.DictReader(lines)]


def nodes_of(folder: Path) -> list[dict[str, Any]]:
    """What a run says of the workers that it was made by."""
    client = Run.open(folder)._facts["client"]
    nodes: list[dict[str, Any]] = client["nodes"]
    return nodes


def test_a_closed_loop_of_two_nodes_is_one_run(
    nodes: Nodes, sim: Callable[..., str], folder: Path
) -> None:
    point = "m/parallel_6_number_120"
    truth = folder / "truth.csv"
    url = sim("--profile", "constant-10ms", "--truth", str(truth))
    load = f"{PROMPTS} --url {url} --max-tokens 8 --parallel 6 --number 120".split()

    def measure(place: str) -> tuple[Ran, Path]:
        ran = perf(*load, "--outputs-dir", place, "--ray", nodes.address, "--workers", "2")
        return ran, folder / place / point

    ran, two = until_sound(measure)
    alone = perf(*load, "--outputs-dir", "one", "--threads", "2")
    assert alone.code == 0, alone.err
    same = ("request", "input_tokens", "output_tokens", "succeeded")
    expected = columns(folder / "one" / point, *same)
    assert expected["index"] == list(range(120))
    assert columns(two, *same) == expected
    check_figures(two)
    check_sent_once(two, truth)
    workers = nodes_of(two)
    assert [worker["requests"] for worker in workers] == [60, 60]
    names = ran.err.split("load from 2 workers: ")[1].splitlines()[0].split(", ")
    for number, (name, worker) in enumerate(zip(names, workers, strict=True), 1):
        assert worker["name"] == f"worker {number} ({name})"
        assert worker["clock"]["bound_ms"] > 0
        assert f"{worker['name']}: " in ran.out + ran.err


def test_an_open_loop_of_two_nodes_is_offered_at_the_rate(
    nodes: Nodes, sim: Callable[..., str], folder: Path
) -> None:
    point = "m/rate_200.0_number_1000"
    truth = folder / "truth.csv"
    url = sim("--profile", "constant-10ms", "--truth", str(truth))
    load = f"{PROMPTS} --url {url} --max-tokens 4 --open-loop --rate 200 --number 1000".split()

    def measure(place: str) -> tuple[Ran, Path]:
        ran = perf(*load, "--outputs-dir", place, "--ray", nodes.address)
        return ran, folder / place / point

    _, two = until_sound(measure)
    alone = perf(*load, "--outputs-dir", "one", "--threads", "2")
    assert alone.code == 0, alone.err
    one = columns(folder / "one" / point, "due", "request")
    both = columns(two, "due", "sent", "request")
    assert both["index"] == list(range(1000))
    assert both["request"] == one["request"]
    assert gaps_of(both["due"]) == pytest.approx(gaps_of(one["due"]), abs=2e-9)
    asked = both["due"][-1] - both["due"][0]
    sent = max(both["sent"]) - min(both["sent"])
    assert sent == pytest.approx(asked, rel=0.005)
    check_figures(two)
    check_sent_once(two, truth)
    assert sum(worker["requests"] for worker in nodes_of(two)) == 1000


def gaps_of(times: list[float]) -> list[float]:
    """Times from the first on."""
    return [at - times[0] for at in times]


def test_a_worker_that_is_killed_voids_the_run_and_what_had_arrived_is_kept(
    nodes: Nodes, sim: Callable[..., str], folder: Path
) -> None:
    url = sim("--profile", "constant-20ms")
    load = f"{PROMPTS} --url {url} --max-tokens 16 --parallel 4 --number 4000 --duration 60".split()
    process = started(*load, "--outputs-dir", "killed", "--ray", nodes.address)
    database = folder / "killed/m/parallel_4_number_4000/benchmark_data.db"
    wait_for_rows(database, 20)
    workers = actors_of(nodes)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "VOID, a worker was lost" in out
    assert "was lost at " in err and "its worker process has died" in err
    kept = columns(database.parent, "succeeded")
    assert len(kept["index"]) >= 20
    assert len(set(kept["index"])) == len(kept["index"])
    lost = [worker for worker in nodes_of(database.parent) if "lost" in worker]
    assert len(lost) == 1
    assert lost[0]["lost"]["why"].startswith("its worker process has died")


def test_a_search_from_two_nodes_finds_what_one_machine_finds(
    nodes: Nodes, sim: Callable[..., str], folder: Path
) -> None:
    (folder / "eight.toml").write_text(EIGHT)
    search = (
        f"{PROMPTS} --max-tokens 32 --sla-auto-tune --sla-upper-bound 64 --sla-tolerance 0.2 --parallel 1 "
        "--sla-budget 40s --sla-params"
    ).split() + ['[{"p99_ttft":"<=100ms"}]']
    alone = perf(*search, "--url", "sim:eight.toml", "--outputs-dir", "one")
    assert alone.code == 0, alone.err
    expected = selection(folder / "one/m")
    url = sim("--profile", str(folder / "eight.toml"))

    def measure() -> tuple[Ran, Path]:
        ran = perf(*search, "--url", url, "--outputs-dir", "two", "--ray", nodes.address)
        return ran, folder / "two/m"

    ran, found = measure()
    assert ran.code in (0, 3), ran.err
    interval = selection(found)["interval"]
    assert interval["low"] <= expected["interval"]["high"]
    assert expected["interval"]["low"] <= interval["high"]
    indices = columns(found)["index"]
    assert len(set(indices)) == len(indices)


def selection(folder: Path) -> dict[str, Any]:
    """The answer of a search."""
    answer: dict[str, Any] = json.loads((folder / "sla_summary.json").read_text())["selections"][0]
    return answer


def test_ctrl_c_ends_all_workers_and_keeps_what_was_measured(
    nodes: Nodes, sim: Callable[..., str], folder: Path
) -> None:
    url = sim("--profile", "constant-20ms")
    load = f"{PROMPTS} --url {url} --max-tokens 8 --parallel 4 --number 4000 --duration 60".split()
    process = started(*load, "--outputs-dir", "ended", "--ray", nodes.address)
    database = folder / "ended/m/parallel_4_number_4000/benchmark_data.db"
    wait_for_rows(database, 8)
    workers = actors_of(nodes)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Benchmarking summary" in out
    assert len(columns(database.parent)["index"]) >= 8
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end, "workers outlive the command"
        time.sleep(0.1)


def test_files_are_found_from_the_current_folder(
    nodes: Nodes, sim: Callable[..., str], folder: Path
) -> None:
    lines = [f"prompt {number}" for number in range(6)]
    (folder / "prompts.txt").write_text("\n".join(lines))
    load = (
        "--model m --no-timestamp --dataset line_by_line --dataset-path prompts.txt --max-tokens 2 --parallel 2 "
        f"--number 6 --url {sim('--profile', 'constant-10ms')}"
    )
    ran = perf(*load.split(), "--outputs-dir", "two", "--ray", nodes.address)
    assert ran.code == 0, ran.err
    requests = columns(folder / "two/m/parallel_2_number_6", "request")["request"]
    assert all(line in request for line, request in zip(lines, requests, strict=True))


@pytest.mark.parametrize(
    ("flags", "texts"),
    [
        ("--workers 3", ["the cluster has 2 nodes with a CPU, 3 workers need 3", "--workers 2"]),
        ("--dataset line_by_line --dataset-path nowhere.txt", ["nowhere.txt"]),
    ],
)
def test_what_the_cluster_cannot_do_is_told_before_any_load(
    nodes: Nodes, sim: Callable[..., str], folder: Path, flags: str, texts: list[str]
) -> None:
    truth = folder / "truth.csv"
    url = sim("--profile", "constant-10ms", "--truth", str(truth))
    ran = perf(*PROMPTS.split(), "--url", url, "--ray", nodes.address, *flags.split())
    assert ran.code == 2, ran
    for text in texts:
        assert text in ran.err
    assert not truth.exists() or served(truth) == []


def test_a_wrong_address_is_told_at_once(folder: Path) -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    ran = perf(*PROMPTS.split(), "--url", "http://127.0.0.1:9", "--ray", "127.0.0.1:1")
    assert ran.code == 2
    assert "cannot start workers on the Ray cluster" in ran.err
    assert "nothing of Ray is reached at 127.0.0.1:1" in ran.err
    assert not (folder / "outputs").exists()


def test_the_program_itself_goes_on_in_python(
    nodes: Nodes, sim: Callable[..., str], folder: Path, program: Path
) -> None:
    url = sim("--profile", "constant-10ms")
    load = f"{PROMPTS} --url {url} --max-tokens 2 --parallel 2 --number 8".split()
    command = [str(program), "perf", *load, "--outputs-dir", "both", "--ray", "auto"]
    environment = {**os.environ, "RAY_ADDRESS": nodes.address, "CRESTLINE_PYTHON": sys.executable}
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "load from 2 workers" in ran.stderr
    assert columns(folder / "both/m/parallel_2_number_8")["index"] == list(range(8))


def wait_for_rows(database: Path, rows: int) -> None:
    """Waits until so many requests are on disk."""
    end = time.monotonic() + 60
    while _rows(database) < rows:
        assert time.monotonic() < end, "no load is applied"
        time.sleep(0.1)


def _rows(database: Path) -> int:
    try:
        return len(Run.open(database).requests)
    except RunFileError:
        # Not there yet, or not all of its tables are.
        return 0


def actors_of(nodes: Nodes) -> list[int]:
    """Processes of the workers that are on the cluster's nodes now."""
    raylets = {
        started.process.pid
        for node in nodes.cluster.list_all_nodes()
        for started in node.all_processes["raylet"]
    }
    found = []
    for process in Path("/proc").iterdir():
        try:
            title = (process / "cmdline").read_bytes()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if title.startswith(b"ray::Crestline") and parent in raylets:
            found.append(int(process.name))
    return found
