"""The types of fields, `crestline/fields/`, are those of the command line: made from it, and compared with it here.

`UPDATE_EXPECT=1` writes the files anew.
"""

import importlib
import os
import re
import textwrap
from pathlib import Path

import pytest

from crestline import _flags

FOLDER = Path(__file__).parents[1] / "crestline" / "fields"

Command = tuple[str, ...]

FILES: dict[str, dict[str, Command]] = {
    "perf": {"PerfFields": ("perf",)},
    "bench": {"BenchServeFields": ("bench", "serve")},
    "sweeps": {
        "SweepServeFields": ("bench", "sweep", "serve"),
        "SweepServeSlaFields": ("bench", "sweep", "serve_sla"),
        "SweepServeWorkloadFields": ("bench", "sweep", "serve_workload"),
        "SweepStartupFields": ("bench", "sweep", "startup"),
    },
    "pages": {"ReportFields": ("report",), "CompareFields": ("compare",)},
}
"""Modules with their types, and the command of each."""

SHARED = {
    "SweepFields": ("Of every sweep.", FILES["sweeps"]),
    "ServedSweepFields": (
        "Of every sweep that runs benchmarks.",
        {name: FILES["sweeps"][name] for name in list(FILES["sweeps"])[:3]},
    ),
}
"""Types of what several types of a module have alike, the most general first."""

IMPORTS = {
    "collections.abc": ("Mapping", "Sequence"),
    "typing": ("Any", "Literal", "TypedDict"),
    "crestline.fields.values": ("Json", "Pairs", "Place"),
    "crestline.plugins": ("Api", "Dataset"),
}


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


def type_of(name: str, base: str, what: str, fields: list[str]) -> str:
    """The lines of a type."""
    head = f'class {name}({base}, total=False):\n    """{what}"""\n'
    return "\n".join([head, *fields])


def types_of(module: str) -> list[str]:
    """The types of a module: what several have alike stands once."""
    own = {
        name: [field(flag) for flag in _flags.flags(*path).values()]
        for name, path in FILES[module].items()
    }
    bases = dict.fromkeys(own, "TypedDict")
    types = []
    for shared, (what, names) in SHARED.items():
        if not names.keys() <= own.keys():
            continue
        first, *others = names
        alike = [line for line in own[first] if all(line in own[other] for other in others)]
        types.append(type_of(shared, bases[first], what, alike))
        for name in names:
            own[name] = [line for line in own[name] if line not in alike]
            bases[name] = shared
    for name, path in FILES[module].items():
        types.append(type_of(name, bases[name], f"Of `crestline {' '.join(path)}`.", own[name]))
    return types


def made(module: str) -> str:
    """The whole file of a module."""
    types = types_of(module)
    words = set(re.findall(r"[A-Z]\w+", re.sub(r'""".*?"""', "", "".join(types), flags=re.S)))
    imports = {
        place: [name for name in names if name in words] for place, names in IMPORTS.items()
    }
    lines = [f"from {place} import {', '.join(names)}" for place, names in imports.items() if names]
    ours = [line for line in lines if line.startswith("from crestline")]
    theirs = [line for line in lines if line not in ours]
    head = f'''"""Fields of `{"`, `".join(" ".join(path) for path in FILES[module].values())}`.

Made from the command line's parser by python/tests/test_fields.py.
"""

from __future__ import annotations
'''
    parts = [head, *(["\n".join(theirs) + "\n"] if theirs else [])]
    parts += ["\n".join(ours) + "\n"] if ours else []
    return "\n\n".join(["\n".join(parts), *types])


@pytest.mark.parametrize("module", FILES)
def test_the_types_of_fields_are_those_of_the_command_line(module: str) -> None:
    file = FOLDER / f"{module}.py"
    if os.environ.get("UPDATE_EXPECT"):
        file.write_text(made(module), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == made(module), "UPDATE_EXPECT=1 writes it anew"


@pytest.mark.parametrize("module", FILES)
def test_every_field_of_a_command_is_in_its_type_and_no_other(module: str) -> None:
    types = importlib.import_module(f"crestline.fields.{module}")
    for name, path in FILES[module].items():
        fields = set(getattr(types, name).__annotations__)
        assert fields == set(_flags.flags(*path)) and fields, name
        assert not getattr(types, name).__required_keys__, name
