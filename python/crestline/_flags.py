"""Fields with Python values as words of a command line, which the command line itself then reads.

Which fields there are, and what each takes, comes from the parser of the command line: nothing is listed here.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from crestline import _native
from crestline.errors import UsageError

PARTS = {"NAME=VALUE": "=", "NAME:LIMIT": ":", "NAME:MS": ":", "SHORT=NAME": "="}
"""What stands between name and value, by how the flag's help shows them."""
LISTS = {"NAMES", "NUMBERS", "LIST", "MS,MS", "PAIRS"}
"""Values that are one word with commas."""
FILES = {"FILE"}
"""Values that are read from a file, which may also be given as they are."""


@dataclass(frozen=True)
class Flag:
    """A flag of a sub-command."""

    name: str
    """With dashes in it, and none before it."""
    aliases: list[str]
    """Other names that are read too."""
    values: str
    """How many values it has: `switch`, `one`, `optional`, `many`, `repeated`."""
    kind: str
    """What each is: `whole`, `number`, `truth`, `choice`, `text`."""
    choices: list[str]
    """The words to choose from."""
    shown: str
    """What stands for the value in the help, such as `NAME=VALUE`."""
    default: list[str]
    """What it is without being given."""
    help: str
    """Its help."""

    @property
    def field(self) -> str:
        """Its name as a field."""
        return self.name.replace("-", "_")

    def words(self, value: Any) -> list[str]:
        """The words that give it this value; none for `None`."""
        if value is None:
            return []
        if self.values == "switch":
            return [f"--{self.name}"] if self._truth(value) else []
        if self.values == "optional" and isinstance(value, bool):
            return [f"--{self.name}"] if value else []
        texts = self._texts(value)
        if self.values == "repeated" or len(texts) == 1:
            return [f"--{self.name}={text}" for text in texts]
        return [f"--{self.name}", *texts] if texts else []

    def _truth(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise UsageError(f"{self.field} cannot be {value!r}", "it is True or False")

    def _texts(self, value: Any) -> list[str]:
        if isinstance(value, Mapping):
            part = PARTS.get(self.shown)
            if part is not None:
                return [f"{key}{part}{self._text(item)}" for key, item in value.items()]
            return [self._json(value)]
        is_list = isinstance(value, Iterable) and not isinstance(value, (str, bytes, os.PathLike))
        if not is_list:
            return [self._text(value)]
        items = list(value)
        if self.values in ("many", "repeated"):
            return [self._text(item) for item in items]
        if self.shown == "COMMAND":
            return [shlex.join(self._text(item) for item in items)]
        if self.shown in LISTS:
            return [",".join(self._text(item) for item in items)]
        return [self._json(items)]

    def _json(self, value: Any) -> str:
        if "JSON" not in self.shown and "DICT" not in self.shown:
            raise UsageError(
                f"{self.field} cannot be {value!r}", f"it takes one value: {self.shown}"
            )
        try:
            return json.dumps(value, default=_plain)
        except TypeError as error:
            raise UsageError(f"{self.field} cannot be {value!r}", str(error)) from error

    def _text(self, value: Any) -> str:
        if isinstance(value, bool):
            if self.kind in ("whole", "number", "choice") or self.values == "one":
                raise UsageError(f"{self.field} cannot be {value!r}", f"it takes {self.shown}")
            return str(value).lower()
        if isinstance(value, os.PathLike):
            return os.fsdecode(value)
        if isinstance(value, str):
            return value
        if isinstance(value, float):
            is_whole = self.kind == "whole" and value.is_integer()
            return str(int(value)) if is_whole else repr(float(value))
        if isinstance(value, int):
            return str(int(value))
        # Numbers of NumPy and the like say what they are.
        plain = getattr(value, "item", None)
        if callable(plain):
            return self._text(plain())
        raise UsageError(
            f"{self.field} cannot be {value!r}", f"{type(value).__name__} is nothing that it takes"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    plain = getattr(value, "item", None)
    if callable(plain):
        return plain()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@lru_cache(maxsize=None)
def flags(*path: str) -> dict[str, Flag]:
    """The flags of a sub-command by their names as fields."""
    listed = (Flag(**described) for described in _native.flags(list(path)))
    return {flag.field: flag for flag in listed}


def check(path: Sequence[str], fields: Iterable[str], more: Sequence[str] = ()) -> None:
    """Refuses a field that the sub-command does not have, with the one that was probably meant."""
    known = flags(*path)
    for name in fields:
        if name in known or name in more:
            continue
        meant = _native.meant(name, [*known, *more])
        hint = f"did you mean {meant}?" if meant else f"`crestline {' '.join(path)} --help` lists all"
        raise UsageError(f"unknown field {name}", None, hint)


def words(path: Sequence[str], fields: Mapping[str, Any]) -> list[str]:
    """The command line of a sub-command with these fields, without the program."""
    known = flags(*path)
    out = list(path)
    for name, value in fields.items():
        flag = known[name]
        opposite = known.get(f"no_{name}")
        if value is False and flag.values == "switch" and opposite is not None:
            out += opposite.words(True)
        else:
            out += flag.words(value)
    return out


def default(flag: Flag) -> Any:
    """What a flag is without being given, as a Python value; `None` where the command line decides."""
    read = {"whole": int, "number": float}.get(flag.kind, str)
    if flag.values == "switch":
        return False
    if not flag.default:
        return None
    values = [read(text) for text in flag.default]
    return values if flag.values in ("many", "repeated") else values[0]
