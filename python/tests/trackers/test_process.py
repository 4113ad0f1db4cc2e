"""The process beside the program: Ctrl-C is not its own, it does not outlive the program, its package may be missing.

A package that only writes down what it is told stands in for that of W&B.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Tracked

PACKAGE = """
import os

def note(line):
    with open(os.environ["NOTES"], "a") as notes:
        print(line, file=notes)

class Anything:
    def __init__(self, *args, **named):
        self.summary = {}
        self.mode = "offline"
        self.dir = "x"
        self.id = "x"

    def __getattr__(self, name):
        return lambda *args, **named: None

    def log(self, values):
        note("log " + " ".join(values))

    def finish(self, exit_code):
        note(f"finish {exit_code}")

    @property
    def settings(self):
        return self

Settings = Table = Html = Artifact = Anything

def init(**named):
    note(f"init {os.getpid()} {os.nice(0)}")
    return Anything()
"""

PATIENCE_S = 60
"""How long anything may take that is waited for."""


def wait_for(notes: Path, text: str) -> str:
    """The notes, once they hold a text."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if notes.exists() and text in notes.read_text():
            return notes.read_text()
        time.sleep(0.05)
    raise AssertionError(f"no {text!r} in {notes.read_text() if notes.exists() else 'nothing'}")


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()


@contextmanager
def loaded(program: Path, folder: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """A long load with a tracker, in a process group of its own as in a terminal."""
    (folder / "packages").mkdir()
    (folder / "packages" / "wandb.py").write_text(PACKAGE)
    line = (
        f"perf --url {url} --model m --tokenizer-path builtin --dataset random --max-tokens 4"
        " --min-prompt-length 16 --max-prompt-length 16 --parallel 1 --number 100000 --grace 2"
        " --outputs-dir out --no-html --visualizer wandb"
    )
    variables = {
        "NOTES": str(folder / "notes"),
        "PYTHONPATH": str(folder / "packages"),
        "CRESTLINE_PYTHON": sys.executable,
    }
    with subprocess.Popen(
        [str(program), *line.split()],
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_of_the_terminal_is_the_programs_alone(
    program: Path, folder: Path, sim: Callable[..., str]
) -> None:
    with loaded(program, folder, sim("--profile", "constant-20ms")) as process:
        wait_for(folder / "notes", "log live/time_s")
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, said
    assert "warning" not in said
    notes = (folder / "notes").read_text()
    first, *_, last = notes.splitlines()
    assert last == "finish 130" and "final/parallel" in notes
    assert int(first.split()[2]) >= 10, "it takes second place behind the program"


def test_the_process_ends_its_run_and_itself_when_the_program_is_gone(
    program: Path, folder: Path, sim: Callable[..., str]
) -> None:
    with loaded(program, folder, sim("--profile", "constant-20ms")) as process:
        notes = wait_for(folder / "notes", "log live/time_s")
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    assert "finish 1" in wait_for(folder / "notes", "finish")
    pid = int(notes.splitlines()[0].split()[1])
    until = time.monotonic() + PATIENCE_S
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(pid)


@pytest.mark.parametrize("tracker", ["wandb", "swanlab", "clearml"])
def test_a_python_without_the_package_is_told_how_to_get_it(
    tracked: Callable[..., Tracked], folder: Path, tracker: str
) -> None:
    bare = folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    # A folder of the package's name in the working directory is not the package.
    (folder / tracker).mkdir()
    python = str(bare / "bin" / "python")
    run = tracked("--visualizer", tracker, code=2, CRESTLINE_PYTHON=python)
    assert f"error: --visualizer {tracker} needs the Python package {tracker}" in run.done.stderr
    assert f"{python} -m pip install {tracker}" in run.done.stderr
    assert not any(run.folder.glob("parallel_*"))
