"""The extension: what the package hands to the crates that do the work."""

import os
from collections.abc import Callable
from typing import final

def main(args: list[str]) -> int:
    """Runs a command line as the `crestline` program does; `args[0]` is the program. Gives its exit code."""

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
