"""ClearML offline: what its session holds is what the run's files hold."""

import json
import zipfile
from collections.abc import Callable
from typing import Any

from .conftest import LOADS, Tracked


def test_a_session_has_loads_tables_configuration_and_files(
    tracked: Callable[..., Tracked],
) -> None:
    run = tracked("--visualizer", "clearml", CLEARML_OFFLINE_MODE="1")
    (line,) = [line for line in run.done.stderr.splitlines() if line.endswith(".zip")]
    with zipfile.ZipFile(line.removeprefix("tracker clearml: the session is in ")) as session:
        task = json.loads(session.read("task.json"))
        lines = session.read("metrics.jsonl").decode().splitlines()
        names = session.namelist()
    events: list[dict[str, Any]] = [event for line in lines for event in json.loads(line)]

    scalars = {
        (event["metric"], event["iter"]): event["value"]
        for event in events
        if event["type"] == "training_stats_scalar" and event["metric"] != "live"
    }
    for load, parallel in LOADS.items():
        for name, value in run.summary(load).items():
            assert scalars[(f"final: {name}", parallel)] == value

    live = [event for event in events if event["metric"] == "live"]
    times = [event["iter"] for event in live if event["variant"] == "requests_per_s"]
    assert len(times) >= 18 and times == sorted(set(times))

    tables = [event for event in events if event["metric"] == "percentiles"]
    assert {event["variant"] for event in tables} == set(LOADS)
    for event in tables:
        latest = run.percentiles(event["variant"])[-1]["Latency (s)"]
        assert str(latest) in event["plot_str"]

    settings = task["hyperparams"]["crestline"]
    assert settings["api_key"]["value"] == "***"
    assert json.loads(settings["parallel"]["value"]) == [1, 2]
    assert any(name.endswith("/perf_report.html") for name in names)
    artifacts = {artifact["key"] for artifact in task["execution"]["artifacts"]}
    assert {f"{load}/benchmark_summary.json" for load in LOADS} < artifacts


def test_without_a_configuration_nothing_is_measured(tracked: Callable[..., Tracked]) -> None:
    run = tracked("--visualizer", "clearml", code=2)
    assert "error: clearml cannot be logged in to" in run.done.stderr
    assert "CLEARML_OFFLINE_MODE=1" in run.done.stderr
