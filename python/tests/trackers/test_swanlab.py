"""SwanLab on this machine and offline: what its own files hold is what the run's files hold."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swanlab.proto.swanlab.record.v1.record_pb2 import Record
from swanlab.sdk.internal.core_python.store import DataStoreReader

from .conftest import LOADS, Tracked, holds


def local_values(run: Tracked) -> dict[str, list[Any]]:
    """Values of every key of a run on this machine, in the order of steps."""
    logs = run.folder / "swanlog"
    base = sqlite3.connect(logs / "runs.swanlab")
    keys = base.execute("select name, folder from tag").fetchall()
    base.close()
    (folder,) = logs.glob("run-*/logs")
    values = {}
    for name, place in keys:
        lines = [line for file in sorted((folder / place).glob("*.log")) for line in open(file)]
        values[name] = [json.loads(line)["data"] for line in lines]
    return values


def check_finals(run: Tracked, values: dict[str, list[Any]]) -> None:
    assert values["final/parallel"] == list(LOADS.values())
    for place, load in enumerate(LOADS):
        told = {
            key.removeprefix("final/"): of_loads[place]
            for key, of_loads in values.items()
            if key.startswith("final/") and len(of_loads) == len(LOADS)
        }
        summary = run.summary(load)
        assert {name: told.get(name) for name in summary} == summary
    times = values["live/time_s"]
    assert len(times) >= 18 and times == sorted(set(times))


def test_a_run_on_this_machine_has_every_load_and_every_second(
    tracked: Callable[..., Tracked],
) -> None:
    run = tracked("--swanlab-api-key", "local")
    assert f"swanlab watch {run.folder / 'swanlog'} shows the run" in run.done.stderr
    check_finals(run, local_values(run))


def test_an_offline_run_has_every_load_every_second_and_its_tables(
    tracked: Callable[..., Tracked],
) -> None:
    run = tracked("--visualizer", "swanlab", SWANLAB_MODE="offline")
    (file,) = run.folder.glob("swanlog/run-*/run-*.swanlab")
    reader = DataStoreReader()
    reader.open(file)
    all_records = [Record.FromString(data) for data in reader]
    values: dict[str, list[Any]] = {}
    for record in all_records:
        if record.HasField("scalar"):
            values.setdefault(record.scalar.key, []).append(record.scalar.value.number)
    check_finals(run, values)

    media = {record.media.key: record.media for record in all_records if record.HasField("media")}
    for load in LOADS:
        (item,) = media[f"percentiles/{load}"].value.items
        (table,) = file.parent.glob(f"media/echarts/{item.filename}")
        shown = table.read_text()
        for row in run.percentiles(load):
            assert all(str(value) in shown for value in row.values() if value != -1)
    (saved,) = [
        record.save for record in all_records if record.save.name == "perf_report.html"
    ]
    assert Path(saved.source_path).name == "perf_report.html"
    assert not holds(run.folder, "top-secret")


def test_without_a_login_nothing_is_measured(tracked: Callable[..., Tracked]) -> None:
    run = tracked("--visualizer", "swanlab", code=2)
    assert "error: swanlab cannot be logged in to" in run.done.stderr
    assert not any(run.folder.glob("parallel_*"))
