"""Load tests from Python, with the names of `evalscope perf`.

    from crestline.perf import Arguments, run_perf_benchmark

    results = run_perf_benchmark(Arguments(
        parallel=[1, 8], number=[10, 60], model='m', url='sim:a100-qwen2.5-0.5b',
        dataset='random', tokenizer_path='builtin', max_tokens=64))
    results['parallel_8_number_60'].metrics.avg_ttft  # milliseconds

Fields are the flags of `crestline perf` with underscores; the command line reads them, so that both take and refuse the same.
"""

from __future__ import annotations

import copy
import json
import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from crestline import _flags, _tables, plugins
from crestline._command import INTERRUPTED, OnProgress, Progress, SearchProgress, Watching, run
from crestline.errors import UsageError
from crestline.results import (
    Health,
    LoadResult,
    Metrics,
    PercentileRow,
    Percentiles,
    WorkloadThroughput,
)
from crestline.run import Run

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from crestline.fields import PerfFields

    class _Fields(PerfFields, total=False):
        """With the field that is no flag."""

        model_id: str | None

__all__ = [
    "Arguments",
    "Health",
    "Interval",
    "LoadResult",
    "Metrics",
    "PercentileRow",
    "Percentiles",
    "PerfResults",
    "Probe",
    "Progress",
    "SearchProgress",
    "Selection",
    "SlaResults",
    "WorkloadThroughput",
    "read_results",
    "run_perf_benchmark",
]

_PATH = ("perf",)
_MODEL_ID = "model_id"
"""EvalScope's field for what names the run where `name` does not."""
_CODE = ("dataset", "api")
"""Fields that take Python code beside a name."""
_SLA = "sla_summary.json"


class Arguments:
    """What is measured: the flags of `crestline perf` with underscores, never changed once made.

    Lists make a sweep: `parallel=[1, 8], number=[10, 60]`. Dictionaries stand for `NAME=VALUE` (`headers`) and for JSON
    (`extra_args`, `dataset_args`, `sla_params`). `stream=False` is `--no-stream`. `None` is a field that is not given.
    `dataset` and `api` may be Python code: see `crestline.plugins`. `model_id` names the run where `name` does not.
    Reading a field gives what was given, or its default.
    """

    _fields: dict[str, Any]

    def __init__(self, **fields: Unpack[_Fields]) -> None:
        """Takes the fields; `UsageError` for one that is not known, with the name that was probably meant.

        Values are checked when the benchmark runs, before anything is sent, in the words of the command line.
        """
        object.__setattr__(self, "_fields", _checked(dict(fields)))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The same from a dictionary."""
        made = cls()
        object.__setattr__(made, "_fields", _checked(dict(fields)))
        return made

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Self:
        """The same from a JSON file with one object."""
        return cls.from_dict(_object(path, json.loads))

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Self:
        """The same from a YAML file with one mapping; needs PyYAML."""
        try:
            import yaml
        except ImportError as error:
            raise UsageError("YAML is not read", str(error), "pip install pyyaml") from error
        return cls.from_dict(_object(path, yaml.safe_load))

    @classmethod
    def from_args(cls, args: Namespace) -> Self:
        """The same from what `argparse` has read; what is `None` is not given."""
        return cls.from_dict(vars(args))

    def to_dict(self) -> dict[str, Any]:
        """The fields that were given."""
        return {name: _own(name, value) for name, value in self._fields.items()}

    def to_command(self) -> list[str]:
        """The command line that these fields are, without the program: `['perf', '--model=m', ...]`."""
        fields = dict(self._fields)
        model_id = fields.pop(_MODEL_ID, None)
        if model_id is not None:
            fields.setdefault("name", model_id)
        return _flags.words(_PATH, fields)

    def __getattr__(self, name: str) -> Any:
        """What was given for a field, or its default; `None` where the command line decides."""
        if name.startswith("_"):
            raise AttributeError(name)
        fields = object.__getattribute__(self, "_fields")
        if name in fields:
            return _own(name, fields[name])
        flag = _flags.flags(*_PATH).get(name)
        if flag is None and name != _MODEL_ID:
            raise AttributeError(f"there is no field {name}")
        return flag and _flags.default(flag)

    def __setattr__(self, name: str, value: object) -> None:
        """Refused: make another with `Arguments.from_dict({**arguments.to_dict(), 'parallel': 8})`."""
        raise AttributeError(f"{name} cannot be set: arguments never change; make others")

    def __eq__(self, other: object) -> bool:
        """Whether the same fields were given."""
        return isinstance(other, Arguments) and self._fields == other._fields

    def __hash__(self) -> int:
        """By the names of the fields, whose values may be lists."""
        return hash(frozenset(self._fields))

    def __repr__(self) -> str:
        """The fields, without secrets."""
        shown = (f"{name}={_masked(name, value)!r}" for name, value in self._fields.items())
        return f"Arguments({', '.join(shown)})"


Given = Union[Arguments, Mapping[str, Any], Namespace]
"""What a benchmark takes: fields in any of these forms."""


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    given = {name: _own(name, value) for name, value in fields.items() if value is not None}
    _flags.check(_PATH, given, [_MODEL_ID])
    return given


def _own(name: str, value: Any) -> Any:
    """A value that nobody else changes; code stays what it is."""
    return value if name in _CODE else copy.deepcopy(value)


def _object(path: str | os.PathLike[str], read: Any) -> dict[str, Any]:
    try:
        fields = read(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{os.fspath(path)} cannot be read", error.strerror) from error
    except Exception as error:
        raise UsageError(f"{os.fspath(path)} is not understood", str(error)) from error
    if not isinstance(fields, dict):
        raise UsageError(f"{os.fspath(path)} has no fields", "it must hold one object")
    return fields


def _masked(name: str, value: Any) -> Any:
    if name.endswith("api_key"):
        return "***"
    if name == "headers":
        return {key: "***" for key in value} if isinstance(value, Mapping) else "***"
    return value


class PerfResults(dict[str, LoadResult]):
    """What came of each load: `results['parallel_8_number_60']`, in the order in which they were measured."""

    folder: Path | None
    """Where everything is written; `None` where nothing was measured."""
    exit_code: int
    """What the command would have ended with: 0 done, 1 something is missing, 130 interrupted; of a search 0 an answer for each
    group of criteria, 1 the client was the bottleneck, 3 a group without an answer."""
    selections: list[Selection]
    """Of a search: the answer to each group of criteria, in their order."""
    probes: list[Probe]
    """Of a search: the loads in the order in which they were held."""

    def __init__(self, loads: list[LoadResult], folder: Path | None, exit_code: int) -> None:
        """Of loads that have ended."""
        super().__init__({load.name: load for load in loads})
        self.folder = folder
        self.exit_code = exit_code
        self.selections = []
        self.probes = []
        self._kept: list[object] = []

    def keep(self, held: object) -> None:
        """Holds something as long as the results are there, such as a folder that goes with them."""
        self._kept.append(held)

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to end before it was done."""
        return self.exit_code == INTERRUPTED

    def to_table(self) -> str:
        """A row for each load, for a terminal."""
        return _tables.text(*self._table())

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        head = [
            "Load",
            "Requests",
            "Failed",
            "RPS",
            "Avg latency (s)",
            "Avg TTFT (ms)",
            "P99 TTFT (ms)",
            "Avg TPOT (ms)",
            "Output (tok/s)",
            "Client",
        ]
        return head, [_row(load) for load in self.values()]

    def _repr_html_(self) -> str:
        """The table for a notebook, with the folder of the results."""
        return f"{_tables.html(*self._table())}<p>{escape(str(self.folder))}</p>"


def _row(load: LoadResult) -> list[Any]:
    metrics = load.metrics
    return [
        load.name,
        metrics.total_requests,
        metrics.failed_requests,
        metrics.request_throughput,
        metrics.avg_latency,
        metrics.avg_ttft,
        load.percentiles.get_p("99%", "ttft"),
        metrics.avg_tpot,
        metrics.output_token_throughput,
        load.health.verdict,
    ]


@dataclass(frozen=True)
class Interval:
    """A range of loads."""

    low: float
    """Its lower end."""
    high: float
    """Its upper end."""
    probability: float | None
    """How likely the true load lies in it, in 0..1; `None` where it is the range between two loads that were tried."""


@dataclass(frozen=True)
class Selection:
    """The answer to one group of criteria."""

    criteria: str
    """What was asked for, such as `p99_ttft <= 0.2`; times are seconds."""
    variable: str
    """What is varied: `parallel` or `rate`."""
    status: str
    """`value`, `infeasible`, `not_reached`, `inconclusive`, `void` or `outpaced`; docs/guide/sla.md says what each means."""
    max_satisfied: float | None
    """The highest load that meets the criteria, of which the search is as sure as `confidence` says; `None` without one."""
    confidence: float | None
    """How sure, in 0..1."""
    estimate: float | None
    """The most likely true answer."""
    interval: Interval | None
    """Where the true answer lies."""
    best: float | None
    """The best value of the metric that is sought, where one is to be as high or as low as possible."""
    binding: str | None
    """The criterion that limits the load."""
    requests: int
    """Requests near the answer on which it rests."""
    reason: str
    """Why the search stopped."""
    source: dict[str, Any]
    """All that the file says of it."""

    @property
    def verdict(self) -> str:
        """The same as `status`."""
        return self.status

    @property
    def samples(self) -> int:
        """The same as `requests`."""
        return self.requests


@dataclass(frozen=True)
class Probe:
    """A load that was held for a while."""

    load: float
    """Users in flight or requests a second."""
    stage: str
    """What it was for, such as `ramp` or `refine`."""
    start_s: float
    """When it began, in seconds since the search did."""
    duration_s: float
    """For how many seconds it was held."""
    requests: int
    """Requests that count."""
    failed: int
    """Of these, failures."""
    measured: dict[str, float | None]
    """The metrics that the criteria name, in seconds, requests or tokens a second, or as a share."""
    source: dict[str, Any]
    """All that the file says of it."""

    @property
    def met(self) -> list[bool]:
        """Whether each group of criteria was met."""
        return [bool(group["met"]) for group in self.source["groups"]]


class SlaResults(PerfResults):
    """What a search for the highest load within an SLA found; as a dictionary, what each load that was tried came to.

    `results['parallel_64'].metrics`, or as evalscope gives it `results['parallel_64']['metrics']['Avg TTFT (ms)']`.
    """

    health: Health
    """Whether the client kept up over the whole search."""
    document: dict[str, Any]
    """`sla_summary.json`: everything, explained in docs/guide/sla.md."""

    def __init__(self, document: dict[str, Any], folder: Path | None, exit_code: int) -> None:
        """Of a file `sla_summary.json`."""
        self.document = document
        self.health = Health.of(document.get("client") or {})
        variable = document.get("question", {}).get("variable", "parallel")
        loads = document.get("loads", [])
        tried = [_tried(variable, load, self.health, folder or Path()) for load in loads]
        super().__init__(tried, folder, exit_code)
        self.selections = [_selection(found) for found in document.get("selections", [])]
        self.probes = [_probe(held) for held in document.get("probes", [])]

    @property
    def run(self) -> Run:
        """The requests of the search one by one, where it was one session."""
        if self.folder is None:
            raise UsageError("nothing was measured")
        return Run.open(self.folder)

    def to_table(self) -> str:
        """A row for each group of criteria, for a terminal."""
        return _tables.text(*self._answers())

    def _answers(self) -> tuple[list[str], list[list[Any]]]:
        head = ["Criteria", "Variable", "Max satisfied", "Interval", "Status", "Binding", "Requests"]
        return [*head, "Why it stopped"], [_answer(found) for found in self.selections]

    def _repr_html_(self) -> str:
        """The answers and the loads for a notebook, with the folder of the results."""
        return _tables.html(*self._answers()) + super()._repr_html_()


def _answer(found: Selection) -> list[Any]:
    interval = found.interval and f"{found.interval.low:g} to {found.interval.high:g}"
    return [
        found.criteria,
        found.variable,
        found.max_satisfied,
        interval,
        found.status,
        found.binding,
        found.requests,
        found.reason,
    ]


def _selection(found: dict[str, Any]) -> Selection:
    names = ("criteria", "variable", "status", "max_satisfied", "confidence", "estimate", "best")
    values = {name: found[name] for name in (*names, "binding", "requests", "reason")}
    interval = found["interval"]
    return Selection(**values, interval=interval and Interval(**interval), source=found)


def _probe(held: dict[str, Any]) -> Probe:
    names = ("load", "stage", "start_s", "duration_s", "requests", "failed", "measured")
    return Probe(**{name: held[name] for name in names}, source=held)


def _tried(variable: str, load: dict[str, Any], health: Health, folder: Path) -> LoadResult:
    """A load of a search under evalscope's names."""
    figures = load["figures"]

    def value(name: str, scale: float = 1) -> float:
        known = figures.get(name)
        return -1 if known is None else round(known * scale, 6)

    applied = load["load"]
    summary = {
        "Test Duration (s)": -1,
        "Concurrency": applied if variable == "parallel" else -1,
        "Request Rate (req/s)": applied if variable == "rate" else -1,
        "Total Requests": load["requests"],
        "Success Requests": load["requests"] - load["failed"],
        "Failed Requests": load["failed"],
        "Req Throughput (req/s)": value("rps"),
        "Avg Latency (s)": value("avg_latency"),
        "Output Throughput (tok/s)": value("tps"),
        "Total Throughput (tok/s)": value("total_tps"),
        "Avg TTFT (ms)": value("avg_ttft", 1e3),
        "Avg TPOT (ms)": value("avg_tpot", 1e3),
        "Avg ITL (ms)": value("avg_itl", 1e3),
    }
    rows = [
        {
            "Percentiles": f"{percent}%",
            "Latency (s)": value(f"p{percent}_latency"),
            "TTFT (ms)": value(f"p{percent}_ttft", 1e3),
            "ITL (ms)": value(f"p{percent}_itl", 1e3),
            "TPOT (ms)": value(f"p{percent}_tpot", 1e3),
        }
        for percent in (50, 99)
    ]
    return LoadResult(
        name=f"{variable}_{applied:g}",
        folder=folder,
        metrics=Metrics.of(summary),
        percentiles=Percentiles.of(rows),
        workload_throughput=None,
        health=health,
    )


def run_perf_benchmark(
    args: Given, *, on_progress: OnProgress | None = None, quiet: bool = False
) -> PerfResults:
    """Measures, and gives what came of it; with `sla_auto_tune` that is a `SlaResults`.

    Prints what the command prints, to `sys.stdout` and `sys.stderr`; `quiet` prints nothing. `on_progress` is called a few times a
    second in place of lines of progress. `UsageError` before anything is sent, `RunFailed` where nothing could be measured.
    Ctrl-C ends the load in good order, keeps what was measured, and raises `KeyboardInterrupt` with it as `.result`.
    """
    arguments = _arguments(args)
    is_search = bool(arguments.sla_auto_tune)
    watching = Watching(on_progress, quiet)

    def results(code: int) -> PerfResults:
        if is_search:
            return _sla_results(watching.folder, code)
        loads = [LoadResult.read(folder) for folder in watching.loads]
        return PerfResults(loads, watching.folder, code)

    with plugins.named_dataset(arguments.dataset) as dataset, plugins.named_api(arguments.api) as api:
        named = Arguments.from_dict(arguments.to_dict() | {"dataset": dataset, "api": api})
        command = named if _has_code(arguments) else arguments
        return run(command.to_command(), watching, results)


def _has_code(arguments: Arguments) -> bool:
    return not all(isinstance(getattr(arguments, name), str) for name in _CODE)


def read_results(folder: str | os.PathLike[str]) -> PerfResults:
    """What an earlier command has left in its folder, `outputs/TIMESTAMP/NAME`."""
    place = Path(folder)
    if (place / _SLA).exists():
        return _sla_results(place, 0)
    found = sorted(place.glob("*/benchmark_summary.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UsageError(
            f"{place} has no results", f"there is neither {_SLA} nor a folder with a summary in it"
        )
    return PerfResults([LoadResult.read(path.parent) for path in found], place, 0)


def _sla_results(folder: Path | None, code: int) -> SlaResults:
    path = folder and folder / _SLA
    if path is None or not path.exists():
        return SlaResults({}, folder, code)
    return SlaResults(json.loads(path.read_text(encoding="utf-8")), folder, code)


def _arguments(args: Given) -> Arguments:
    if isinstance(args, Arguments):
        return args
    if isinstance(args, Namespace):
        return Arguments.from_args(args)
    if isinstance(args, Mapping):
        return Arguments.from_dict(args)
    raise UsageError(
        f"a benchmark cannot be {type(args).__name__}",
        "it takes Arguments, a dictionary of fields, or what argparse has read",
    )
