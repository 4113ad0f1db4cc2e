"""Stored runs, and their requests as Arrow, pandas or Polars.

`Run.open(path).requests` makes no object of Python for a request: whoever takes it pulls record batches
out of the run's database, so a run of a million requests needs no more memory than its table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from crestline import _native
from crestline.errors import CrestlineError, DamagedRun

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_T = TypeVar("_T")


@dataclass(frozen=True)
class Column:
    """A column that requests have."""

    name: str
    """Its name."""
    unit: str
    """What its numbers are measured in: `s`, `tokens` or `tok/s`; empty for counts and for what is no number."""
    meaning: str
    """What stands in it; of a metric the formula."""
    usual: bool
    """Whether it is there without being selected. Texts and lists are not: they are most of a run."""


def columns() -> tuple[Column, ...]:
    """Every column that requests have."""
    return tuple(Column(*described) for described in _native.request_columns())


class Table:
    """Rows that are read when they are asked for, as often as wanted.

    Implements the Arrow PyCapsule interface, so `pyarrow.table(table)`, `polars.DataFrame(table)` and
    `pandas.DataFrame.from_arrow(table)` work as well as the methods here.
    """

    def __init__(self, stream: _native.Stream) -> None:
        """Rows of a stream of the extension."""
        self._stream = stream

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in their order."""
        return self._stream.names()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A stream of record batches from the first row on."""
        return self._stream.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The types of the columns; units and meanings are metadata of the fields."""
        return self._stream.__arrow_c_schema__()

    def to_arrow(self) -> pyarrow.Table:
        """All rows as a `pyarrow.Table`."""
        arrow = _module("pyarrow", "arrow")
        return _read(lambda: arrow.table(self))

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """Rows as `pyarrow.RecordBatch`es of at most 16,384, read as they are pulled: memory stays small."""
        arrow = _module("pyarrow", "arrow")
        reader = _read(lambda: arrow.RecordBatchReader.from_stream(self))
        while True:
            try:
                batch = _read(reader.read_next_batch)
            except StopIteration:
                return
            yield batch

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame whose columns are Arrow's own memory (`pandas.ArrowDtype`), not a copy.

        Missing values stay missing: counts do not turn into floats. For columns of NumPy:
        `table.to_arrow().to_pandas()`, which takes about twice the memory while it converts.
        """
        kind = _module("pandas", "pandas").ArrowDtype
        return self.to_arrow().to_pandas(types_mapper=kind)

    def to_polars(self) -> polars.DataFrame:
        """All rows as a Polars frame."""
        frames = _module("polars", "polars")
        frame: polars.DataFrame = _read(lambda: frames.DataFrame(self))
        return frame


class Requests(Table):
    """The counted requests of a run, in the order in which they ended.

    Times are seconds as float64: `due`, `sent`, `first_token`, ... from the run's epoch, the same for all rows;
    `ttft`, `latency`, ... as docs/metrics.md defines them. Failed requests have rows too, with what was seen of them:
    leave out those whose `succeeded` is false before taking a mean. `failure_kind`, `phase` and who counted tokens
    are dictionaries.
    """

    def __init__(self, file: _native.RunFile, names: list[str]) -> None:
        """Some columns of a run."""
        super().__init__(file.requests(names))
        self._file = file

    def select(self, *names: str) -> Requests:
        """The same requests with these columns alone, in this order.

        Also those that are left out unless they are named: `gaps`, `chunk_tokens`, `bare_events`, `request`,
        `answer`, `reasoning`, `tool_calls`.
        """
        return Requests(self._file, list(names))

    def with_columns(self, *names: str) -> Requests:
        """The same requests with these columns after the ones that are there."""
        return Requests(self._file, [*self.column_names, *names])

    def __len__(self) -> int:
        """Requests that the run has now."""
        return self._file.rows()

    def __repr__(self) -> str:
        """How many rows and columns there are, and of which run."""
        return f"<{len(self)} requests, {len(self.column_names)} columns, of {self._file.path}>"

    def _repr_html_(self) -> str:
        """The columns with their units and meanings, for a notebook."""
        known = {column.name: column for column in columns()}
        rows = (known[name] for name in self.column_names)
        cells = "".join(
            f"<tr><td><code>{row.name}</code></td><td>{row.unit}</td><td>{_escaped(row.meaning)}</td></tr>"
            for row in rows
        )
        head = "<tr><th>column</th><th>unit</th><th>meaning</th></tr>"
        return f"<p>{_escaped(repr(self))}</p><table>{head}{cells}</table>"


class Run:
    """A run that is stored: one load, or the session of a search."""

    def __init__(self, file: _native.RunFile) -> None:
        """A run of the extension; `Run.open` finds one."""
        self._file = file
        self._facts: dict[str, Any] = json.loads(file.facts())

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """The run at a path: its database, or a folder that holds one run and no other.

        Also one that was killed or is still being written; it has the rows that were committed when they are read.
        Raises `RunNotFound`, `NotARun` or `DamagedRun` of `crestline.errors`.
        """
        return cls(_native.RunFile.open(os.fspath(path)))

    @property
    def path(self) -> str:
        """The database."""
        return os.fspath(self._file.path)

    @property
    def requests(self) -> Requests:
        """Its counted requests, as Arrow."""
        usual = [column.name for column in columns() if column.usual]
        return Requests(self._file, usual)

    @property
    def server_metrics(self) -> Table:
        """What the server said of itself while it ran, a row for each change of a series.

        `series`, `labels` (JSON), `kind`, `at` (seconds from the run's epoch), `value` from then on. No rows where
        the server was not read.
        """
        return Table(self._file.server_metrics())

    @property
    def plan(self) -> dict[str, Any]:
        """What was measured, as the run's file has it; secrets are not in it."""
        plan: dict[str, Any] = self._facts["plan"]
        return plan

    @property
    def complete(self) -> bool:
        """Whether the run ended in good order, with all rows written."""
        return bool(self._facts["complete"])

    @property
    def start_unix_s(self) -> float:
        """The run's epoch in seconds since 1970-01-01 UTC; 0 in virtual time."""
        return float(self._facts["start_unix_s"])

    def __repr__(self) -> str:
        """Where it is."""
        return f"<run {self.path}>"


def _module(name: str, extra: str) -> Any:
    """A module that is only needed here."""
    try:
        return __import__(name)
    except ImportError as error:
        raise CrestlineError(
            f"{name} is not installed: `pip install 'crestline[{extra}]'` or `pip install {name}`"
        ) from error


def _read(read: Callable[[], _T]) -> _T:
    """What is read from a run's file; that the file is damaged, in its own words."""
    try:
        return read()
    except (CrestlineError, StopIteration, MemoryError):
        raise
    except Exception as error:
        text = str(error)
        if "run database" in text or "is damaged" in text:
            raise DamagedRun(text) from error
        raise


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
