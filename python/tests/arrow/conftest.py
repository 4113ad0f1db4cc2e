"""A run that the tests read."""

import subprocess
import sys
from pathlib import Path

import pytest


def _measured(folder: Path, requests: int, tokens: int) -> Path:
    flags = {
        "--url": "sim:a100-qwen2.5-0.5b",
        "--model": "m",
        "--tokenizer-path": "builtin",
        "--parallel": 8,
        "--number": requests,
        "--dataset": "random",
        "--min-tokens": tokens,
        "--max-tokens": tokens,
        "--min-prompt-length": 20,
        "--max-prompt-length": 40,
        "--outputs-dir": folder,
    }
    words = [str(word) for flag in flags.items() for word in flag]
    command = [sys.executable, "-m", "crestline", "perf", *words]
    subprocess.run(command, check=True, capture_output=True)
    [database] = folder.rglob("benchmark_data.db")
    return database


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of sixty requests of five tokens, measured in virtual time."""
    return _measured(tmp_path_factory.mktemp("run"), 60, 5)


@pytest.fixture(scope="session")
def usual_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of 250 requests of 64 tokens, measured in virtual time."""
    return _measured(tmp_path_factory.mktemp("run"), 250, 64)
