"""Folders that go when nobody needs them, and values put into files there for commands that read them from files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crestline import _flags
from crestline.errors import UsageError


class PassingFolder:
    """A folder that goes with this object, or at the latest with the interpreter."""

    def __init__(self) -> None:
        """Makes it."""
        self.path = Path(tempfile.mkdtemp(prefix="crestline-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def written(path: tuple[str, ...], fields: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The fields with lists and dictionaries put into files where the command wants a file."""
    known = _flags.flags(*path)
    out = dict(fields)
    for name, value in fields.items():
        is_plain = value is None or isinstance(value, (str, os.PathLike))
        if known[name].shown in _flags.FILES and not is_plain:
            file = folder / f"{name}.json"
            try:
                file.write_text(json.dumps(value), encoding="utf-8")
            except TypeError as error:
                raise UsageError(f"{name} cannot be {value!r}", str(error)) from error
            out[name] = file
    return out
