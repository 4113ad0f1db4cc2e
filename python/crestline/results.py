"""What a load came to, as the files of its folder say it: figures, percentiles, throughput, and how well the client kept up.

Names are those of `evalscope perf`. Times to first token, between tokens and per output token are **milliseconds**, latencies and
durations **seconds**, throughputs **per second**. A figure that is not known is NaN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any

from crestline import _tables
from crestline.errors import CrestlineError
from crestline.run import Run

_SUMMARY = "benchmark_summary.json"
_PERCENTILES = "benchmark_percentile.json"
_THROUGHPUT = "workload_throughput.json"

_FIGURES = {
    "time_taken": "Test Duration (s)",
    "concurrency": "Concurrency",
    "request_rate": "Request Rate (req/s)",
    "total_requests": "Total Requests",
    "succeed_requests": "Success Requests",
    "failed_requests": "Failed Requests",
    "request_throughput": "Req Throughput (req/s)",
    "avg_latency": "Avg Latency (s)",
    "avg_input_tokens": "Avg Input Tokens",
    "avg_output_tokens": "Avg Output Tokens",
    "output_token_throughput": "Output Throughput (tok/s)",
    "total_token_throughput": "Total Throughput (tok/s)",
    "avg_ttft": "Avg TTFT (ms)",
    "avg_tpot": "Avg TPOT (ms)",
    "avg_itl": "Avg ITL (ms)",
}
_COLUMNS = {
    "latency": "Latency (s)",
    "ttft": "TTFT (ms)",
    "itl": "ITL (ms)",
    "tpot": "TPOT (ms)",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
    "output_throughput": "Output (tok/s)",
    "total_throughput": "Total (tok/s)",
    "decode_throughput": "Decode (tok/s)",
}


@dataclass(frozen=True)
class Metrics:
    """The figures of a load, over its counted requests."""

    time_taken: float
    """Seconds from the start of the first request to the end of the last."""
    concurrency: int
    """Most requests in flight; -1 without a limit."""
    request_rate: float
    """Requests a second that were asked for; -1 as fast as the concurrency allows."""
    total_requests: int
    """Requests that were counted."""
    succeed_requests: int
    """Of these, successes."""
    failed_requests: int
    """Of these, failures."""
    request_throughput: float
    """Successes a second."""
    avg_latency: float
    """Mean seconds from sending a request to the end of its answer, over successes."""
    avg_input_tokens: float
    """Mean tokens of a prompt."""
    avg_output_tokens: float
    """Mean tokens of an answer."""
    output_token_throughput: float
    """Tokens of answers a second."""
    total_token_throughput: float
    """Tokens of prompts and answers a second."""
    avg_ttft: float
    """Mean time to first token, in milliseconds."""
    avg_tpot: float
    """Mean time per output token after the first, in milliseconds."""
    avg_itl: float
    """Mean time between tokens, in milliseconds."""
    source: dict[str, Any] = field(repr=False, compare=False)
    """All that the load's summary says, under the names of its file."""

    @classmethod
    def of(cls, summary: dict[str, Any]) -> Metrics:
        """The figures of a summary, `benchmark_summary.json`."""
        values = {name: _figure(name, summary.get(key)) for name, key in _FIGURES.items()}
        return cls(**values, source=summary)

    @property
    def success_rate(self) -> float:
        """The share of successes, in percent; NaN where nothing was counted."""
        return 100 * self.succeed_requests / self.total_requests if self.total_requests else nan

    @property
    def avg_latency_from_due(self) -> float:
        """Mean seconds from when a request was due to the end of its answer: above `avg_latency` where requests had to wait."""
        return self._own("crestline_latency_from_due_s")

    @property
    def avg_ttft_from_due(self) -> float:
        """Mean time from when a request was due to its first token, in milliseconds."""
        return self._own("crestline_ttft_from_due_ms")

    @property
    def failures(self) -> dict[str, int]:
        """Failed requests by their kind."""
        return dict(self.source.get("crestline_failures") or {})

    def to_dict(self) -> dict[str, Any]:
        """What the load's `benchmark_summary.json` says, under its names; -1 is what is not known."""
        return dict(self.source)

    def __getitem__(self, key: str) -> Any:
        """The same, one at a time: `metrics['Avg TTFT (ms)']`."""
        return self.source[key]

    def to_table(self) -> str:
        """A table of all figures, for a terminal."""
        return _tables.text(["Metric", "Value"], self._rows())

    def _own(self, key: str) -> float:
        spread = self.source.get(key) or {}
        return float(spread.get("mean", nan))

    def _rows(self) -> list[tuple[str, Any]]:
        rows = [(key, getattr(self, name)) for name, key in _FIGURES.items()]
        return [*rows, ("Success Rate (%)", self.success_rate)]

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        return _tables.html(["Metric", "Value"], self._rows())


def _figure(name: str, value: Any) -> Any:
    """-1 means *no limit* of what is asked for, and *not known* of everything else."""
    if name in ("concurrency", "request_rate"):
        return -1 if value is None else value
    if name.endswith("_requests"):
        return int(value or 0)
    return nan if value is None or value == -1 else float(value)


@dataclass(frozen=True)
class PercentileRow:
    """One percentile of all metrics, over the successes of a load; NaN where a metric has no values."""

    percentile: str
    """Which: `min`, `1%`, ..., `99%`, `max`."""
    latency: float
    """Seconds from sending a request to the end of its answer."""
    ttft: float
    """Time to first token, in milliseconds."""
    itl: float
    """Time between tokens, in milliseconds: a percentile of all gaps of all requests."""
    tpot: float
    """Time per output token after the first, in milliseconds."""
    input_tokens: float
    """Tokens of a prompt."""
    output_tokens: float
    """Tokens of an answer."""
    output_throughput: float
    """Tokens of an answer by its latency, a second."""
    total_throughput: float
    """Tokens of prompt and answer by the latency, a second."""
    decode_throughput: float
    """Tokens after the first by the time that they took, a second."""

    def to_dict(self) -> dict[str, Any]:
        """Under the names of the file."""
        return {
            "Percentiles": self.percentile,
            **{key: getattr(self, name) for name, key in _COLUMNS.items()},
        }


@dataclass(frozen=True)
class Percentiles:
    """The percentiles of a load."""

    rows: tuple[PercentileRow, ...]
    """One for each percentile, rising."""

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> Percentiles:
        """Those of a file, `benchmark_percentile.json`."""
        return cls(tuple(_percentile(row) for row in rows))

    def get_p(self, percentile: str | float, metric: str) -> float:
        """One value: `get_p('99%', 'ttft')`. `metric` is the name of an attribute of `PercentileRow`, or of the file's column."""
        label = percentile if isinstance(percentile, str) else f"{percentile:g}%"
        named = {key: name for name, key in _COLUMNS.items()}
        name = named.get(metric, metric)
        if name not in _COLUMNS:
            raise KeyError(f"{metric} is no metric with percentiles: {', '.join(_COLUMNS)}")
        for row in self.rows:
            if row.percentile in (label, f"{label}%"):
                return float(getattr(row, name))
        known = ", ".join(row.percentile for row in self.rows)
        raise KeyError(f"{label} is no percentile of a load: {known}")

    def to_list(self) -> list[dict[str, Any]]:
        """One dictionary for each row, under the names of the file."""
        return [row.to_dict() for row in self.rows]

    def to_table(self) -> str:
        """A table, for a terminal."""
        return _tables.text(*self._table())

    def __getitem__(self, column: str) -> list[Any]:
        """A column under its name in the file: `percentiles['TTFT (ms)']`."""
        return [row.to_dict()[column] for row in self.rows]

    def __iter__(self) -> Iterator[PercentileRow]:
        """The rows."""
        return iter(self.rows)

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        return ["Percentiles", *_COLUMNS.values()], [
            list(row.to_dict().values()) for row in self.rows
        ]

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        return _tables.html(*self._table())


def _percentile(row: dict[str, Any]) -> PercentileRow:
    values = {name: row.get(key) for name, key in _COLUMNS.items()}
    known = {name: nan if value in (None, -1) else float(value) for name, value in values.items()}
    return PercentileRow(percentile=row["Percentiles"], **known)


@dataclass(frozen=True)
class ThroughputRow:
    """Tokens of one kind a second, credited when a request ends."""

    metric: str
    """Which tokens: of prompts, of new or cached prompts, of answers."""
    overall: float
    """Over the whole load."""
    last_window: float
    """Over its last 30 seconds, or over the whole of a shorter one."""
    steady_state: float
    """Without its first fifth."""


@dataclass(frozen=True)
class WorkloadThroughput:
    """Tokens a second over a load, at its end, and without its beginning."""

    n_samples: int
    """Successes."""
    wall_time_s: float
    """Seconds that the load took."""
    rows: tuple[ThroughputRow, ...]
    """One for each kind of tokens."""

    def to_table(self) -> str:
        """A table, for a terminal."""
        return _tables.text(*self._table())

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        head = ["Metric", "Overall", "Last 30s", "Steady (drop 20%)"]
        rows = [[row.metric, row.overall, row.last_window, row.steady_state] for row in self.rows]
        return head, rows

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        return _tables.html(*self._table())


@dataclass(frozen=True)
class Health:
    """Whether the client kept up. A load in which it did not is void: it neither passes nor fails an SLA."""

    is_void: bool
    """The client was the bottleneck: the figures say more of it than of the service."""
    reasons: tuple[str, ...]
    """Why it is void; empty where it is sound."""
    source: dict[str, Any] = field(repr=False, compare=False)
    """All that the client observed of itself, such as `send_lag_ms`."""

    @classmethod
    def of(cls, client: dict[str, Any]) -> Health:
        """What a file says under `crestline_client`."""
        return cls(bool(client.get("void")), tuple(client.get("reasons") or ()), dict(client))

    @property
    def verdict(self) -> str:
        """`sound` or `void`."""
        return "void" if self.is_void else "sound"


@dataclass(frozen=True)
class LoadResult:
    """What one load came to."""

    name: str
    """Its name among the results, such as `parallel_8_number_60`."""
    folder: Path
    """Its files."""
    metrics: Metrics
    """Its figures."""
    percentiles: Percentiles
    """Its percentiles."""
    workload_throughput: WorkloadThroughput | None
    """Tokens a second; `None` where no request succeeded."""
    health: Health
    """Whether the client kept up."""
    trace_summary: None = None
    """Figures of conversations; `None` for requests of a single turn."""

    @classmethod
    def read(cls, folder: Path) -> LoadResult:
        """What a load's folder holds."""
        summary = _json(folder / _SUMMARY)
        metrics = Metrics.of(summary)
        throughput = _json(folder / _THROUGHPUT) if metrics.succeed_requests else None
        return cls(
            name=folder.name,
            folder=folder,
            metrics=metrics,
            percentiles=Percentiles.of(_json(folder / _PERCENTILES)),
            workload_throughput=throughput and _throughput(throughput),
            health=Health.of(summary.get("crestline_client") or {}),
        )

    @cached_property
    def run(self) -> Run:
        """Its requests one by one, from its database; of a search, those of all loads."""
        return Run.open(self.folder)

    def __getitem__(self, key: str) -> Any:
        """`metrics`, `percentiles`, `trace_summary` or `workload_throughput`, for scripts that take results as dictionaries."""
        if key in ("metrics", "percentiles", "trace_summary", "workload_throughput"):
            return getattr(self, key)
        raise KeyError(key)

    def _repr_html_(self) -> str:
        """Figures and percentiles, for a notebook."""
        parts = [f"<p><b>{self.name}</b></p>", self.metrics._repr_html_()]
        return "".join([*parts, self.percentiles._repr_html_()])


def _throughput(document: dict[str, Any]) -> WorkloadThroughput:
    rows = tuple(ThroughputRow(**row) for row in document["rows"])
    return WorkloadThroughput(document["n_samples"], document["wall_time_s"], rows)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CrestlineError(f"{path} cannot be read: {error}") from error


