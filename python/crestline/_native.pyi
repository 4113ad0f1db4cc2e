"""The extension: what the package hands to the crates that do the work."""

from collections.abc import Callable, Sequence
from typing import Any

__version__: str
"""The version of program, package and extension."""

def main(
    args: list[str], launcher: Callable[[str, int | None], Sequence[Any]] | None = None
) -> int:
    """Runs a command line as the `crestline` program does; `args[0]` is the program. Gives its exit code.

    The launcher starts workers on other machines, where the command asks for such: see `crestline.ray.Launcher`.
    """

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
