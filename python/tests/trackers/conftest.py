"""A run in virtual time that trackers are told of."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUN = (
    "perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random"
    " --max-tokens 10 --min-tokens 10 --min-prompt-length 16 --max-prompt-length 16"
    " --parallel 1 2 --number 50 100 --no-timestamp --outputs-dir out --api-key top-secret"
)

LOADS = {"parallel_1_number_50": 1, "parallel_2_number_100": 2}
"""Folders of the loads, and the value that differs between them."""


class Tracked:
    """What came of a run, with its files."""

    def __init__(self, folder: Path, done: "subprocess.CompletedProcess[str]") -> None:
        self.folder = folder / "out" / "m"
        self.done = done

    def summary(self, load: str) -> dict[str, float]:
        """The numbers of a load's summary, flat, without those that stand for nothing."""
        text = (self.folder / load / "benchmark_summary.json").read_text()
        return {name: value for name, value in _flat("", json.loads(text)) if value != -1}

    def percentiles(self, load: str) -> list[dict[str, Any]]:
        """The rows of a load's percentiles."""
        rows: list[dict[str, Any]] = json.loads(
            (self.folder / load / "benchmark_percentile.json").read_text()
        )
        return rows


def _flat(prefix: str, value: dict[str, Any]) -> list[tuple[str, float]]:
    pairs: list[tuple[str, float]] = []
    for key, inner in value.items():
        if isinstance(inner, dict):
            pairs += _flat(f"{prefix}{key}.", inner)
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            pairs.append((prefix + key, inner))
    return pairs


@pytest.fixture
def tracked(program: Path, folder: Path) -> Callable[..., Tracked]:
    """Runs the program with these further arguments and variables, and asserts its exit code."""

    def run(*arguments: str, code: int = 0, **variables: str) -> Tracked:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WANDB_", "SWANLAB_", "CLEARML_", "CRESTLINE_"))
        }
        env = {**kept, "HOME": str(folder), "CRESTLINE_PYTHON": sys.executable, **variables}
        command = [str(program), *RUN.split(), *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return Tracked(folder, done)

    return run


def holds(folder: Path, text: str) -> bool:
    """Whether a text stands in any file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return any(text.encode() in path.read_bytes() for path in files)
