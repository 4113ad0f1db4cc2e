"""Pages and comparisons of what has been measured."""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Union

from crestline import _flags
from crestline._command import Watching, run
from crestline.errors import UsageError
from crestline.perf import LoadResult, PerfResults

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from crestline.fields import CompareFields, ReportFields

Measured = Union[str, "os.PathLike[str]", PerfResults, LoadResult]
"""Something that was measured: results of a call, a folder, a database."""

_REGRESSED = 4


class Comparison(dict[str, Any]):
    """Whether B is better than A: the document that `crestline compare --json` writes."""

    exit_code: int
    """4 where B is worse than A by more than the threshold, for certain; else 0."""
    text: str
    """The tables, for a terminal."""

    def __init__(self, document: dict[str, Any], text: str, exit_code: int) -> None:
        """Of a document."""
        super().__init__(document)
        self.text = text
        self.exit_code = exit_code

    @property
    def regressed(self) -> bool:
        """Whether B is worse than A by more than the threshold, for certain."""
        return self.exit_code == _REGRESSED

    def _repr_html_(self) -> str:
        """The tables, for a notebook."""
        return f"<pre>{escape(self.text)}</pre>"


def report(*runs: Measured, **fields: Unpack[ReportFields]) -> Path:
    """Makes one page of runs, searches and sweeps, which needs no network; gives its path.

    Fields are the flags of `crestline report`: `output` (`crestline_report.html`), `title`, `include_text`.
    """
    path = ("report",)
    _flags.check(path, fields)
    words = [*_flags.words(path, fields), *map(_place, runs)]
    output = fields.get("output") or "crestline_report.html"
    return run(words, Watching(quiet=True), lambda _code: Path(output))


def compare(a: Measured, b: Measured, /, **fields: Unpack[CompareFields]) -> Comparison:
    """Compares two runs: which is faster, by how much, and how sure that is. Runs at the same load belong together.

    Fields are the flags of `crestline compare`: `threshold` (percent), `metrics`, `confidence`, `seed`, `markdown`, `junit`.
    """
    path = ("compare",)
    _flags.check(path, fields)
    with TemporaryDirectory(prefix="crestline-") as folder:
        file = Path(fields.get("json") or Path(folder, "comparison.json"))
        words = _flags.words(path, {**fields, "json": file})
        watching = _Text()

        def made(code: int) -> Comparison:
            document = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            return Comparison(document, "\n".join(watching.lines), code)

        return run([*words, _place(a), _place(b)], watching, made)


class _Text(Watching):
    """Keeps what is said, and prints nothing."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def see(self, kind: str, value: Any) -> None:
        """Takes what is seen of the command."""
        if kind == "said":
            self.lines.append(value)
        super().see(kind, value)


def _place(measured: Measured) -> str:
    place = measured.folder if isinstance(measured, (PerfResults, LoadResult)) else measured
    if place is None:
        raise UsageError("nothing was measured")
    return os.fspath(place)
