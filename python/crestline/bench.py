"""Benchmarks from Python, with the names of `vllm bench serve`.

    import crestline

    result = crestline.bench.serve(base_url='sim:constant-20ms', model='m', tokenizer='builtin',
                                   random_input_len=8, random_output_len=4, num_prompts=3)
    result['mean_ttft_ms']
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crestline import _flags, _tables
from crestline._command import INTERRUPTED, OnProgress, Watching, run
from crestline._files import PassingFolder
from crestline.errors import RunFailed, UsageError
from crestline.results import Health
from crestline.run import Run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from crestline.fields import BenchServeFields

__all__ = ["BenchResult", "serve"]

_PATH = ("bench", "serve")
_KEPT = ("save_result", "append_result", "result_dir", "result_filename", "dry_run")
"""Fields that say where results go; without them they go when the result does."""


class BenchResult(dict[str, Any]):
    """What a benchmark came to: the JSON document of `vllm bench serve`. Names that end in `_ms` are milliseconds,
    `duration` is seconds, throughputs are per second."""

    folder: Path
    """The records of the run."""

    def __init__(self, document: dict[str, Any], folder: Path, kept: object = None) -> None:
        """Of a document; `kept` is held as long as this is, such as a folder that goes with it."""
        super().__init__(document)
        self.folder = folder
        self.later: list[BenchResult] = []
        """With `num_runs`, the runs after this one."""
        self._kept = kept

    @property
    def runs(self) -> list[BenchResult]:
        """With `num_runs`, what each run came to; else this one alone."""
        return [self, *self.later]

    @property
    def run(self) -> Run:
        """Its requests one by one, from its database."""
        return Run.open(self.folder)

    @property
    def health(self) -> Health:
        """Whether the client kept up."""
        return Health.of(self.get("crestline_client") or {})

    def to_table(self) -> str:
        """Its figures, for a terminal."""
        return _tables.text(["Metric", "Value"], self._rows())

    def _rows(self) -> list[tuple[str, Any]]:
        return [
            (name, value) for name, value in self.items() if isinstance(value, (int, float, str))
        ]

    def _repr_html_(self) -> str:
        """Its figures for a notebook, with the folder of its records."""
        table = _tables.html(["Metric", "Value"], self._rows())
        return f"{table}<p>{escape(str(self.folder))}</p>"


def serve(
    *,
    on_progress: OnProgress | None = None,
    quiet: bool = False,
    **fields: Unpack[BenchServeFields],
) -> BenchResult:
    """Runs a benchmark; fields are the flags of `crestline bench serve` with underscores.

    Without `save_result` the records are kept as long as the result is. With `num_runs` the result is that of the first run, and
    `runs` has them all. Raises what `run_perf_benchmark` raises.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    _flags.check(_PATH, given)
    kept = None
    if not any(given.get(name) for name in _KEPT):
        kept = PassingFolder()
        given |= {"save_result": True, "result_dir": kept.path}
    watching = Watching(on_progress, quiet)

    def results(code: int) -> BenchResult:
        return _results(watching, kept, code)

    result = run(_flags.words(_PATH, given), watching, results)
    if not result and not given.get("dry_run"):
        raise UsageError("nothing was measured")
    if result and all(one.get("completed") == 0 for one in result.runs):
        raise RunFailed("no request succeeded", None, "`errors` of `.result` says why", result)
    return result


def _results(watching: Watching, kept: object, code: int) -> BenchResult:
    runs = [BenchResult(document, folder, kept) for document, folder in watching.benchmarks]
    if not runs:
        place = watching.folder or Path()
        return BenchResult({"interrupted": True} if code == INTERRUPTED else {}, place, kept)
    first, *later = runs
    first.later = later
    return first
