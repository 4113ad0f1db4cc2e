"""The program as the wheel installs it, and as `python -m crestline` runs it."""

import subprocess
import sys
from pathlib import Path


def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def test_the_wheel_puts_the_program_on_path(program: Path) -> None:
    done = ran(program, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("crestline ")


def test_the_module_is_the_same_program(program: Path) -> None:
    as_module = ran(sys.executable, "-m", "crestline", "--version")
    assert as_module.stdout == ran(program, "--version").stdout


def test_wrong_arguments_of_the_module_end_with_2() -> None:
    done = ran(sys.executable, "-m", "crestline", "perf", "--modle", "m")
    assert done.returncode == 2
    assert "did you mean --model?" in done.stderr
