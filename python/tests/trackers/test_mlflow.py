"""Runs that a real MLflow server is told of: what it has then is what the files have."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

RUN = (
    "perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random"
    " --max-tokens 10 --min-tokens 10 --min-prompt-length 16 --max-prompt-length 16"
    " --parallel 1 2 --number 50 100 --no-timestamp --outputs-dir out --name trial"
    " --visualizer mlflow"
)
LOADS = ("parallel_1_number_50", "parallel_2_number_100")
NAMES = {
    "avg_ttft_ms": "Avg TTFT (ms)",
    "avg_latency_s": "Avg Latency (s)",
    "req_throughput_req_per_s": "Req Throughput (req/s)",
    "output_throughput_tok_per_s": "Output Throughput (tok/s)",
    "success_requests": "Success Requests",
}
"""Names of metrics, and the keys of the summary that they stand for."""

Json = dict[str, Any]


class Server:
    """A tracking server, asked over its REST API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> bytes:
        """What is at a path."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def post(self, call: str, body: Json) -> Json:
        """What a call of the API answers."""
        request = urllib.request.Request(
            f"{self.url}/api/2.0/mlflow/{call}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            read: Json = json.load(answer)
        return read

    def runs(self, experiment: str) -> list[Json]:
        """All runs of an experiment, the oldest first."""
        path = f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(experiment)}"
        number = json.loads(self.get(path))["experiment"]["experiment_id"]
        found = self.post(
            "runs/search",
            {
                "experiment_ids": [number],
                "order_by": ["attributes.start_time ASC"],
                "max_results": 1000,
            },
        )
        runs: list[Json] = found["runs"]
        return runs

    def history(self, run: str, metric: str) -> list[tuple[int, float]]:
        """Steps and values of a metric."""
        path = (
            f"/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key={quote(metric, safe='')}"
        )
        points = json.loads(self.get(path))["metrics"]
        return [(int(point["step"]), point["value"]) for point in points]

    def artifact(self, run: Json, name: str) -> bytes:
        """A file of a run, through the server."""
        place = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        return self.get(f"/api/2.0/mlflow-artifacts/artifacts/{place}/{quote(name)}")


def pairs(run: Json, kind: str) -> Json:
    """Names and values of the metrics, the parameters or the tags of a run."""
    return {pair["key"]: pair["value"] for pair in run["data"].get(kind, [])}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A tracking server with a store and files of its own, as `mlflow server` starts it."""
    place = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{place}/store.db"]
    command += ["--artifacts-destination", str(place / "files")]
    log = place / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=place, stdout=output, stderr=output)
    try:
        found = Server(f"http://127.0.0.1:{port}")
        for _ in range(600):
            try:
                found.get("/health")
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
        else:
            pytest.fail(f"the server did not start within 2 min: {log.read_text()}")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def tell(
    program: Path, folder: Path, server: Server
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the program with these words and variables, and the address of the server."""

    def run(line: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
        environment = kept | {"MLFLOW_TRACKING_URI": server.url} | variables
        command = [str(program), *line.split()]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return run


def test_values_parameters_and_files_are_those_of_the_results(
    tell: Callable[..., "subprocess.CompletedProcess[str]"], server: Server, folder: Path
) -> None:
    line = f"{RUN} --api-key top-secret-key"
    done = tell(line, MLFLOW_EXPERIMENT_NAME="values and files")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    whole, *loads = server.runs("values and files")
    address = re.search(r"the run is at (\S+)", done.stderr)
    assert address is not None and address[1].endswith(whole["info"]["run_id"])
    assert whole["info"]["run_name"] == "trial"
    assert whole["info"]["status"] == "FINISHED"
    assert pairs(whole, "tags")["crestline.exit_code"] == "0"

    parameters = pairs(whole, "params")
    assert parameters["number"] == "[50,100]"
    assert parameters["visualizer"] == "mlflow"
    assert "top-secret-key" not in json.dumps(whole)

    results = folder / "out" / "trial"
    assert len(loads) == len(LOADS)
    for number, (name, run) in enumerate(zip(LOADS, loads, strict=True), start=1):
        summary = json.loads((results / name / "benchmark_summary.json").read_text())
        metrics = pairs(run, "metrics")
        assert pairs(run, "tags")["mlflow.parentRunId"] == whole["info"]["run_id"]
        assert pairs(run, "params")["parallel"] == str(number)
        assert run["info"]["status"] == "FINISHED"
        for metric, key in NAMES.items():
            assert metrics[metric] == pytest.approx(summary[key]), metric
            finals = dict(server.history(whole["info"]["run_id"], f"final/{metric}"))
            assert finals[number] == pytest.approx(summary[key])
        table = json.loads(server.artifact(run, "percentiles.json"))
        rows = json.loads((results / name / "benchmark_percentile.json").read_text())
        assert table["columns"] == list(rows[0])
        assert [row[0] for row in table["data"]] == [row["Percentiles"] for row in rows]
        column = table["columns"].index("TTFT (ms)")
        assert [row[column] for row in table["data"]] == [row["TTFT (ms)"] for row in rows]

    for name in (
        "perf_report.html",
        "performance_summary.txt",
        *(f"{load}/benchmark_summary.json" for load in LOADS),
    ):
        assert server.artifact(whole, name) == (results / name).read_bytes()


def test_a_load_has_a_point_a_second_of_its_own_clock(
    tell: Callable[..., "subprocess.CompletedProcess[str]"], server: Server, folder: Path
) -> None:
    done = tell(RUN, MLFLOW_EXPERIMENT_NAME="live")
    assert done.returncode == 0, done.stderr
    whole = server.runs("live")[0]
    points = server.history(whole["info"]["run_id"], "live/requests_ended")
    results = folder / "out" / "trial"
    spans = [
        json.loads((results / load / "benchmark_summary.json").read_text())["Test Duration (s)"]
        for load in LOADS
    ]
    assert len(points) >= sum(int(span) - 1 for span in spans)
    assert [step for step, _ in points] == list(range(len(points)))
    numbers = {value for _, value in server.history(whole["info"]["run_id"], "live/load_number")}
    assert numbers == {1, 2}


def test_the_answer_of_a_search_is_that_of_its_summary(
    tell: Callable[..., "subprocess.CompletedProcess[str]"], server: Server, folder: Path
) -> None:
    line = (
        "perf --url sim:a100-qwen2.5-0.5b --model m --tokenizer-path builtin --dataset random"
        " --max-tokens 64 --min-prompt-length 100 --max-prompt-length 200 --no-timestamp"
        " --outputs-dir out --name search --visualizer mlflow --sla-auto-tune"
        " --sla-variable parallel"
    )
    words = [*line.split(), "--sla-params", '[{"p99_ttft":"<=0.03"}]']
    done = tell(" ".join(words), MLFLOW_EXPERIMENT_NAME="search")
    assert done.returncode == 0, done.stderr
    whole = server.runs("search")[0]
    (summary,) = (folder / "out" / "search").glob("*summary.json")
    answer = json.loads(summary.read_text())["selections"][0]
    tags, metrics = pairs(whole, "tags"), pairs(whole, "metrics")
    assert tags["sla.1.criteria"] == "p99_ttft <= 0.03"
    assert metrics["sla.1/max_satisfied"] == answer["max_satisfied"]
    assert tags["sla.1.binding"] == answer["binding"]
    assert metrics["sla.1/low"] == pytest.approx(answer["interval"]["low"])
    assert metrics["sla.1/high"] == pytest.approx(answer["interval"]["high"])
    table = json.loads(server.artifact(whole, "sla_answer.json"))
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    assert (row["status"], row["max_satisfied"]) == ("value", answer["max_satisfied"])


def test_an_experiment_that_was_deleted_is_told_before_any_load(
    tell: Callable[..., "subprocess.CompletedProcess[str]"], server: Server, folder: Path
) -> None:
    made = server.post("experiments/create", {"name": "gone"})
    server.post("experiments/delete", {"experiment_id": made["experiment_id"]})
    done = tell(RUN, MLFLOW_EXPERIMENT_NAME="gone")
    assert done.returncode == 2
    assert "the experiment `gone` was deleted" in done.stderr
    assert not (folder / "out" / "trial").exists()
