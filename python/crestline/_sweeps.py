"""Sweeps over servers and parameters, with the names of `vllm bench sweep`."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, overload

from crestline import _files, _flags, _tables
from crestline._command import INTERRUPTED, OnProgress, Watching, run
from crestline.errors import CrestlineError, UsageError

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Unpack

    from crestline.fields import (
        SweepServeFields,
        SweepServeSlaFields,
        SweepServeWorkloadFields,
        SweepStartupFields,
    )

Kind = Literal["serve", "serve_sla", "serve_workload", "startup"]
"""Which sweep."""
_KINDS = ("serve", "serve_sla", "serve_workload", "startup")
_ANSWERS = ("crestline", "sla.json")
"""The file of all answers within the folder of an experiment."""
_SHOWN = 12
"""Columns of a row that a table shows."""


class SweepResult(list[dict[str, Any]]):
    """A row for each run, as `summary.csv` has them: the parameters of server and benchmark, and what came of it."""

    folder: Path | None
    """The experiment; `None` where nothing was done."""
    exit_code: int
    """What the command would have ended with: 0 done, 3 an SLA that no server meets, 130 interrupted."""

    def __init__(self, rows: list[dict[str, Any]], folder: Path | None, exit_code: int) -> None:
        """Of the rows of a sweep."""
        super().__init__(rows)
        self.folder = folder
        self.exit_code = exit_code

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to end before it was done; `resume=folder.name` goes on."""
        return self.exit_code == INTERRUPTED

    @property
    def answers(self) -> list[dict[str, Any]]:
        """Of `serve_sla`: for each SLA and benchmark the servers, the best first, with the load that each sustains."""
        file = self.folder and self.folder.joinpath(*_ANSWERS)
        if file is None or not file.exists():
            return []
        groups: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["slas"]
        return groups

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a pandas frame."""
        try:
            import pandas
        except ImportError as error:
            raise CrestlineError("pandas is not installed: `pip install pandas`") from error
        return pandas.DataFrame(list(self))

    def _repr_html_(self) -> str:
        """The rows with their first columns for a notebook, and the folder."""
        head = list(dict.fromkeys(name for row in self for name in row))[:_SHOWN]
        table = _tables.html(head, [[row.get(name) for name in head] for row in self])
        return f"{table}<p>{escape(str(self.folder))}</p>"


@overload
def sweep(
    kind: Literal["serve"],
    *,
    on_progress: OnProgress | None = None,
    quiet: bool = False,
    **fields: Unpack[SweepServeFields],
) -> SweepResult: ...
@overload
def sweep(
    kind: Literal["serve_sla"],
    *,
    on_progress: OnProgress | None = None,
    quiet: bool = False,
    **fields: Unpack[SweepServeSlaFields],
) -> SweepResult: ...
@overload
def sweep(
    kind: Literal["serve_workload"],
    *,
    on_progress: OnProgress | None = None,
    quiet: bool = False,
    **fields: Unpack[SweepServeWorkloadFields],
) -> SweepResult: ...
@overload
def sweep(
    kind: Literal["startup"],
    *,
    on_progress: OnProgress | None = None,
    quiet: bool = False,
    **fields: Unpack[SweepStartupFields],
) -> SweepResult: ...
def sweep(
    kind: Kind,
    *,
    on_progress: OnProgress | None = None,
    quiet: bool = False,
    **fields: Any,
) -> SweepResult:
    """Starts and measures servers with varied parameters; fields are the flags of `crestline bench sweep KIND` with underscores.

    `serve_params`, `bench_params` and `sla_params` are files, or the lists themselves; commands are texts, or lists of words. Servers
    end with the call, however it ends. Raises what `run_perf_benchmark` raises.
    """
    if kind not in _KINDS:
        raise UsageError(f"there is no sweep {kind}", None, f"one of {', '.join(_KINDS)}")
    path = ("bench", "sweep", kind)
    given = {name: value for name, value in fields.items() if value is not None}
    _flags.check(path, given)
    watching = Watching(on_progress, quiet)

    def results(code: int) -> SweepResult:
        return SweepResult(watching.rows, watching.folder, code)

    with TemporaryDirectory(prefix="crestline-") as folder:
        given = _files.written(path, given, Path(folder))
        return run(_flags.words(path, given), watching, results)
