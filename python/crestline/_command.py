"""Commands that run in this process: what they show is printed as Python prints, what they measure is gathered.

A command has threads of its own and does not hold the interpreter's lock. Ctrl-C asks it for an orderly end: nothing more is
sent, requests in flight may end, and what was measured is on disk; a second one does not wait for them either.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO, TypeVar

from crestline import _native
from crestline.errors import CommandError, RunFailed, UsageError
from crestline.ray import Launcher

INTERRUPTED = 130
"""The exit code of a command that was asked to end."""
_USAGE = 2

_T = TypeVar("_T")


@dataclass(frozen=True)
class Progress:
    """How far a load is."""

    elapsed: float
    """Seconds since it began."""
    remaining: float | None
    """Seconds left at the pace so far; `None` before anything has ended."""
    total: int
    """Requests that it has in all, warm-up included."""
    sent: int
    """Requests sent."""
    ended: int
    """Requests that have ended."""
    failed: int
    """Of these, failures."""
    requests_per_s: float
    """Requests ended a second, since the last report."""
    chunks_per_s: float
    """Chunks of answers received a second, since the last report."""
    ttft_p50: float | None
    """Median time to first token of all requests that have ended, in seconds."""
    ttft_p99: float | None
    """99th percentile of the same, in seconds."""


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is."""

    elapsed: float
    """Seconds since it began, pauses and the commands that it goes on from included."""
    remaining: float | None
    """Seconds left at the pace so far, of the work or of the budget; `None` where that cannot be told."""
    stage: str
    """What is being done, such as `refine`."""
    load: float
    """The load that is applied: users in flight or requests a second."""
    interval: tuple[float, float] | None
    """Between which loads the answer lies, as far as is known."""
    verdict: str
    """What the requests at this load say so far of the SLA: `open`, `meets`, `fails`."""
    ended: int
    """Requests that have ended."""
    failed: int
    """Of these, failures."""
    in_flight: int
    """Requests in flight."""


OnProgress = Callable[["Progress | SearchProgress"], object]
"""Is told how far a command is, a few times a second at most; it may take its time, and delays nothing."""


class Watching:
    """Sees a command: prints what it says, and gathers what it measured."""

    def __init__(self, on_progress: OnProgress | None = None, quiet: bool = False) -> None:
        """`on_progress` is called in place of lines of progress; `quiet` prints nothing."""
        self.on_progress = on_progress
        self.quiet = quiet
        self.folder: Path | None = None
        """Where results go."""
        self.loads: list[Path] = []
        """The folders of all loads that have ended."""
        self.benchmarks: list[tuple[dict[str, Any], Path]] = []
        """What came of each benchmark, and the folder of its records."""
        self.rows: list[dict[str, Any]] = []
        """The rows of a sweep."""

    @property
    def is_watched(self) -> bool:
        """Whether a line that is redrawn is seen."""
        shown = not self.quiet and self.on_progress is None
        return shown and bool(sys.stderr) and sys.stderr.isatty()

    def see(self, kind: str, value: Any) -> None:
        """Takes what is seen of the command."""
        if kind == "said":
            self._print(value, sys.stdout)
        elif kind == "told":
            self._print(value, sys.stderr)
        elif kind == "passing":
            if self.on_progress is None:
                self._print(value, sys.stderr)
        elif kind == "redrawn":
            self._print(f"\r\x1b[2K\x1b[?7l{value}\x1b[?7h", sys.stderr, end="")
        elif kind == "progress":
            self._report(Progress(**value))
        elif kind == "search":
            self._report(SearchProgress(**value))
        else:
            self._gather(kind, value)

    def _gather(self, kind: str, value: Any) -> None:
        if kind == "folder":
            self.folder = Path(value)
        elif kind == "load":
            self.loads.append(Path(value))
        elif kind == "benchmark":
            document, folder = value
            self.benchmarks.append((json.loads(document), Path(folder)))
        elif kind == "rows":
            self.rows = json.loads(value)

    def _report(self, progress: Progress | SearchProgress) -> None:
        if self.on_progress is None:
            return
        try:
            self.on_progress(progress)
        except BaseException:
            # It has asked for the end, and is not asked again.
            self.on_progress = _ignored
            raise

    def _print(self, text: str, out: TextIO | None, end: str = "\n") -> None:
        if self.quiet or out is None:
            return
        try:
            _write(out, text + end)
        except OSError:
            # A reader that has gone away is no reason to end a measurement.
            pass


def _ignored(_progress: Progress | SearchProgress) -> None:
    pass


def _write(out: TextIO, text: str) -> None:
    try:
        out.write(text)
    except UnicodeEncodeError:
        encoding = out.encoding or "ascii"
        out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()


def run(words: Sequence[str], watching: Watching, result: Callable[[int], _T]) -> _T:
    """Runs a command line and gives what `result` makes of its exit code.

    Whatever is raised, `KeyboardInterrupt` as well, carries what was measured until then as `.result`.
    """
    _native.started_by(own_words(), sys.executable or None)
    try:
        with Launcher() as launcher:
            code, problem = _native.run(["crestline", *words], watching, launcher)
    except BaseException as error:
        error.result = result(INTERRUPTED)  # type: ignore[attr-defined]
        raise
    if problem is not None:
        raise _problem(code, problem, result)
    return result(code)


def _problem(
    code: int, problem: tuple[str, str | None, str | None], result: Callable[[int], object]
) -> CommandError:
    if code == _USAGE:
        return UsageError(*problem)
    return RunFailed(*problem, result(code))


@lru_cache(maxsize=None)
def own_words() -> list[str]:
    """The words that start crestline again: its program where pip has put it, else this interpreter with the module."""
    try:
        files = metadata.files("crestline") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.name == "crestline" and path.is_file() and os.access(path, os.X_OK):
            return [str(path.resolve())]
    return [sys.executable, "-m", "crestline"]
