"""The types of fields, `crestline/fields.py`, are those of the command line: made from it, and compared with it here.

`UPDATE_EXPECT=1` writes the file anew.
"""

import os
import textwrap
from pathlib import Path

from crestline import _flags

FILE = Path(__file__).parents[1] / "crestline" / "fields.py"

COMMANDS = {
    "PerfFields": ("perf",),
    "BenchServeFields": ("bench", "serve"),
    "SweepServeFields": ("bench", "sweep", "serve"),
    "SweepServeSlaFields": ("bench", "sweep", "serve_sla"),
    "SweepServeWorkloadFields": ("bench", "sweep", "serve_workload"),
    "SweepStartupFields": ("bench", "sweep", "startup"),
    "ReportFields": ("report",),
    "CompareFields": ("compare",),
}

HEAD = '''"""Fields of every command with their types: made from the command line's parser by python/tests/test_fields.py.

What is `None` is not given. Times are in the unit that the line above the field's help names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Union

from crestline.plugins import Api, Dataset

Json = Union[str, Mapping[str, Any], Sequence[Any]]
"""A text of JSON, or the value itself."""
Pairs = Union[str, Mapping[str, Any], Sequence[str]]
"""Names and values: a dictionary, or texts as the command line takes them."""
Place = Union[str, "os.PathLike[str]"]
"""A path."""
'''


def scalar(flag: _flags.Flag) -> str:
    """The type of one value."""
    if "JSON" in flag.shown or flag.shown == "DICT":
        return "Json"
    if flag.shown in _flags.FILES and flag.field.endswith("params"):
        return "Place | Mapping[str, Any] | Sequence[Any]"
    if flag.kind == "choice":
        return f"Literal[{', '.join(map(repr, flag.choices)).replace(chr(39), chr(34))}]"
    if flag.shown in ("FILE", "DIR", "FOLDER", "PATH", "PATH|NAME", "TEXT|@FILE", "FILE|-"):
        return "Place"
    if flag.shown == "COMMAND" or flag.shown in _flags.LISTS:
        return "str | Sequence[Any]"
    if flag.kind == "text":
        # Such as shares, which may be `90%` or 0.9.
        return "str | float" if flag.shown in ("SHARE", "N", "PORT", "PIXELS") else "str"
    return {"whole": "int", "number": "float"}[flag.kind]


CODE = {"api": "Api", "dataset": "Dataset"}
"""Fields of `perf` that take Python code beside a name."""


def typed(flag: _flags.Flag) -> str:
    """The type of a field."""
    if flag.field in CODE:
        return f"str | {CODE[flag.field]} | None"
    if flag.values == "switch":
        return "bool | None"
    one = scalar(flag)
    if flag.values == "optional":
        return f"{one} | bool | None"
    if flag.shown in _flags.PARTS:
        return "Pairs | None"
    if flag.values in ("many", "repeated"):
        return f"{one} | Sequence[{one}] | None"
    return f"{one} | None"


def field(flag: _flags.Flag) -> str:
    """The lines of a field."""
    unit = f"{flag.shown}: " if flag.values != "switch" and flag.kind != "choice" else ""
    text = f"{unit}{flag.help}".replace("\\", "\\\\").replace('"""', "'''")
    line = f"    {flag.field}: {typed(flag)}"
    if len(line) > 100:
        parts = ",\n        ".join(map(repr, flag.choices)).replace("'", '"')
        line = f"    {flag.field}: (\n        Literal[\n        {parts},\n    ]\n    | None\n    )"
    doc = textwrap.fill(f'"""{text}"""', 98, initial_indent="    ", subsequent_indent="    ")
    return f"{line}\n{doc}\n"


def made() -> str:
    """The whole file."""
    parts = [HEAD]
    for name, path in COMMANDS.items():
        flags = _flags.flags(*path).values()
        head = f'class {name}(TypedDict, total=False):\n    """Of `crestline {" ".join(path)}`."""\n'
        parts.append("\n".join([head, *map(field, flags)]))
    return "\n\n".join(parts)


def test_the_types_of_fields_are_those_of_the_command_line() -> None:
    text = made()
    if os.environ.get("UPDATE_EXPECT"):
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "UPDATE_EXPECT=1 writes it anew"


def test_every_command_has_fields() -> None:
    for path in COMMANDS.values():
        assert _flags.flags(*path), path
