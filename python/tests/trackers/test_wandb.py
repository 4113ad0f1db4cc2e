"""W&B offline: what its own files hold is what the run's files hold."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2 as proto

from .conftest import LOADS, Tracked, holds

BLOCK, HEADER = 32768, 7


def records(path: Path) -> Iterator[Any]:
    """The records of a `.wandb` file: a log of LevelDB behind seven bytes of its own."""
    data, at, parts = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        parts += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # the whole record, or its last part
            yield proto.Record.FromString(parts)
            parts = b""


def read(run: Tracked) -> list[Any]:
    (file,) = run.folder.glob("wandb/offline-run-*/run-*.wandb")
    return list(records(file))


def key_of(item: Any) -> str:
    return item.key or "/".join(item.nested_key)


def rows(all_records: list[Any]) -> list[dict[str, Any]]:
    history = [record.history for record in all_records if record.HasField("history")]
    return [{key_of(item): json.loads(item.value_json) for item in row.item} for row in history]


def test_every_load_and_every_second_is_there(tracked: Callable[..., Tracked]) -> None:
    run = tracked("--visualizer", "wandb", WANDB_MODE="offline")
    all_records = read(run)
    history = rows(all_records)

    finals = [row for row in history if "final/parallel" in row]
    assert [row["final/parallel"] for row in finals] == list(LOADS.values())
    for load, row in zip(LOADS, finals, strict=True):
        told = {key.removeprefix("final/"): value for key, value in row.items()}
        assert {name: told.get(name) for name in run.summary(load)} == run.summary(load)

    seconds = [row for row in history if "live/time_s" in row]
    times = [row["live/time_s"] for row in seconds]
    assert len(times) >= 18 and times == sorted(set(times))
    assert {row["live/load_number"] for row in seconds} == {1, 2}
    assert all(row["live/requests_per_s"] > 0 for row in seconds)

    axes = {record.metric.glob_name: record.metric for record in all_records if record.metric}
    assert axes["final/*"].step_metric or axes["final/*"].step_metric_index
    (exit_record,) = [record.exit for record in all_records if record.HasField("exit")]
    assert exit_record.exit_code == 0


def test_tables_are_those_of_the_files(tracked: Callable[..., Tracked]) -> None:
    run = tracked("--visualizer", "wandb", WANDB_MODE="offline")
    for load in LOADS:
        (file,) = run.folder.glob(
            f"wandb/offline-run-*/files/media/table/percentiles/{load}_*.table.json"
        )
        table = json.loads(file.read_text())
        shown = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        known = [
            {name: None if value == -1 else value for name, value in row.items()}
            for row in run.percentiles(load)
        ]
        assert shown == known


def test_the_configuration_is_there_without_secrets(tracked: Callable[..., Tracked]) -> None:
    key = "0123456789abcdef" * 2 + "01234567"
    run = tracked("--wandb-api-key", key, "--name", "nightly", WANDB_MODE="offline")
    run.folder = run.folder.parent / "nightly"
    all_records = read(run)
    (begun,) = [record.run for record in all_records if record.HasField("run")]
    assert (begun.project, begun.display_name) == ("perf_benchmark", "nightly")
    config = {item.key: json.loads(item.value_json) for item in begun.config.update}
    assert config["parallel"] == [1, 2]
    assert (config["api_key"], config["wandb_api_key"]) == ("***", "***")
    assert (config["visualizer"], config["framework"]) == ("wandb", "crestline")
    assert not holds(run.folder.parent.parent, key)
    assert not holds(run.folder.parent.parent, "top-secret")


def test_page_and_files_are_an_artifact(tracked: Callable[..., Tracked]) -> None:
    run = tracked("--visualizer", "wandb", WANDB_MODE="offline")
    requests = [record.request.log_artifact.artifact for record in read(run)]
    artifacts = [record.artifact for record in read(run)] + requests
    (artifact,) = [artifact for artifact in artifacts if artifact.type == "results"]
    names = {entry.path for entry in artifact.manifest.contents}
    assert {"perf_report.html", "performance_summary.txt"} < names
    assert {f"{load}/benchmark_summary.json" for load in LOADS} < names
    assert any(run.folder.glob("wandb/*/files/media/html/report_*.html"))


def test_without_a_login_nothing_is_measured(tracked: Callable[..., Tracked]) -> None:
    run = tracked("--visualizer", "wandb", code=2)
    assert "error: wandb cannot be logged in to" in run.done.stderr
    assert "WANDB_MODE=offline needs none" in run.done.stderr
    assert not any(run.folder.glob("parallel_*"))
