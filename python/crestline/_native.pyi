"""The extension: what the package hands to the crates that do the work."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, final

Launcher: TypeAlias = Callable[[str, int | None], Sequence[Any]]

class Observer(Protocol):
    """Sees what a command shows."""

    @property
    def is_watched(self) -> bool:
        """Whether lines can be redrawn where they go."""

    def see(self, kind: str, value: Any) -> None:
        """Takes what is seen, in the thread that calls."""

__version__: str
"""The version of program, package and extension."""

def main(args: list[str], launcher: Launcher | None = None) -> int:
    """Runs a command line as the `crestline` program does; `args[0]` is the program. Gives its exit code.

    The launcher starts workers on other machines, where the command asks for such: see `crestline.ray.Launcher`.
    """

@final
class Worker:
    """Runs this machine's part of loads, as frames from a coordinator say."""

    def __init__(self, name: str) -> None:
        """Begins to work under a name that the coordinator knows it by."""

    def send(self, frames: list[bytes]) -> None:
        """Hands frames over. Raises `RuntimeError` when the worker has ended, with the reason."""

    def receive(self, wait_s: float) -> list[bytes]:
        """Waits up to `wait_s` seconds for a frame and gives all that there are.

        Raises `RuntimeError` when the worker has ended and all that it said was given.
        """

    def close(self) -> None:
        """Tells the worker that nobody is there any more: what it does ends."""

def started_by(words: list[str], interpreter: str | None = None) -> None:
    """Says with which words crestline is started again, and which Python this is. Said again, it has no effect."""

def run(
    args: list[str], observer: Observer, launcher: Launcher | None = None
) -> tuple[int, tuple[str, str | None, str | None] | None]:
    """Runs a command line; `args[0]` is the program. Gives its exit code and what went wrong: title, cause, hint.

    What `observer.see` or a signal handler raises asks the command to end, and is raised when it has.
    """

def flags(path: list[str]) -> list[dict[str, Any]]:
    """The flags of a sub-command in the order of its help."""

def meant(unknown: str, names: list[str]) -> str | None:
    """The name that is meant by one that is not among `names`, where one of them is near."""

def request_columns() -> list[tuple[str, str, str, bool]]:
    """Every column that requests have: name, unit, meaning, and whether it is read where none is named."""

@final
class RunFile:
    """A run's database."""

    @staticmethod
    def open(path: str) -> RunFile:
        """Finds the one run at a path: a database, or a folder that holds one."""

    @property
    def path(self) -> os.PathLike[str]:
        """The database."""

    def facts(self) -> str:
        """What the run says of itself, as JSON: `plan`, `start_unix_s`, `tool_version`, `complete`, `client`."""

    def rows(self) -> int:
        """Requests that it has by now."""

    def requests(self, names: list[str]) -> Stream:
        """Its requests, with columns of these names."""

    def server_metrics(self) -> Stream:
        """What the server said of itself while it ran."""

@final
class Stream:
    """Rows that can be read as often as wanted."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows from the first on."""

    def __arrow_c_schema__(self) -> object:
        """What the columns are."""

    def names(self) -> list[str]:
        """Names of the columns."""

def add_dataset(name: str, item: Callable[[int], str], number: int | None) -> None:
    """Makes `--dataset NAME` the items of `item(index)`, each as JSON; of so many different ones, where that is known."""

def add_api(
    name: str,
    build: Callable[[int, int | None, str, str, str], str] | None,
    parse: Callable[[list[str], str], tuple[int | None, int | None, str | None]] | None,
) -> None:
    """Makes `--api NAME` what these do; `build(index, max_tokens, prompt, model, settings)`, `parse(pieces, request)`."""

def remove_dataset(name: str) -> None:
    """Forgets a data set; one that is in use is used to the end."""

def remove_api(name: str) -> None:
    """Forgets an API; one that is in use is used to the end."""
