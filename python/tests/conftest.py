"""What the tests share: the program, a simulated service, a folder of their own to work in."""

import signal
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(sysconfig.get_path("scripts"), "crestline")


@pytest.fixture(autouse=True, scope="session")
def interrupts_are_heard() -> None:
    """Whatever a shell starts in the background ignores Ctrl-C, and so do Python and all that it starts, unless told otherwise."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def program() -> Path:
    """The program that the wheel has put on PATH."""
    return PROGRAM


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a test, in which there is no variable of the machine that it could listen to."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-hub"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "no-hub"))
    return tmp_path


@contextmanager
def _served(*arguments: str) -> Iterator[str]:
    command = [str(PROGRAM), "sim", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.removeprefix("listening at ").split()[0]
        finally:
            process.terminate()
            process.stdout.read()


@pytest.fixture
def sim() -> Iterator[Callable[..., str]]:
    """Starts `crestline sim` with these arguments on a free port, and gives the URL of its chat completions."""
    with ExitStack() as servers:
        yield lambda *arguments: servers.enter_context(_served(*arguments))
