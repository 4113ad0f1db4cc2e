"""Load tests of the simulated engine in virtual time: hours of load in milliseconds, with the same answer each time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from crestline._files import PassingFolder
from crestline.errors import UsageError
from crestline.perf import Arguments, PerfResults, run_perf_benchmark

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from crestline.fields import PerfFields

Profile = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""The speeds of an engine: the name of a built-in profile, a TOML file, or its parameters."""

_USUAL: dict[str, Any] = {
    "model": "simulated",
    "dataset": "random",
    "tokenizer_path": "builtin",
    "min_prompt_length": 1024,
    "max_prompt_length": 1024,
    "max_tokens": 256,
}
"""What is sent where nothing else is said."""


def simulate(
    profile: Profile = "gpu-small", *, quiet: bool = True, **fields: Unpack[PerfFields]
) -> PerfResults:
    """Measures a simulated engine: `simulate('a100-qwen2.5-0.5b', parallel=[1, 64], number=[10, 640])`.

    `profile` is a name of `crestline sim --list`, a TOML file, or a dictionary with its parameters, such as
    `{'max_num_seqs': 64, 'iteration': {'base_ms': 5.0}}`: what is left out has its default. Fields are those of
    `crestline.perf.Arguments`; where nothing else is said, 1,024 random tokens ask for 256. Without `outputs_dir` the files go when
    the results do.
    """
    if "url" in fields:
        raise UsageError("unknown field url", None, "`profile` says what is simulated")
    given: dict[str, Any] = {**_USUAL, **fields}
    kept = PassingFolder()
    given.setdefault("outputs_dir", kept.path)
    given.setdefault("no_html", given["outputs_dir"] == kept.path)
    given["url"] = f"sim:{_profile(profile, kept.path)}"
    results = run_perf_benchmark(Arguments.from_dict(given), quiet=quiet)
    results.keep(kept)
    return results


def _profile(profile: Profile, folder: Path) -> str:
    if not isinstance(profile, Mapping):
        return os.fspath(profile)
    file = folder / "profile.toml"
    file.write_text("\n".join(_toml(profile, "")), encoding="utf-8")
    return str(file)


def _toml(table: Mapping[str, Any], name: str) -> list[str]:
    """The lines of a table of TOML: its values, then the tables in it."""
    lines = [f"[{name}]"] if name else []
    for key, value in table.items():
        if not isinstance(value, Mapping):
            try:
                lines.append(f"{key} = {json.dumps(value)}")
            except TypeError as error:
                raise UsageError(f"profile: {key} cannot be {value!r}", str(error)) from error
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _toml(value, f"{name}.{key}" if name else key)
    return lines
