"""Types of values that fields of several commands have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Union

Json = Union[str, Mapping[str, Any], Sequence[Any]]
"""A text of JSON, or the value itself."""
Pairs = Union[str, Mapping[str, Any], Sequence[str]]
"""Names and values: a dictionary, or texts as the command line takes them."""
Place = Union[str, "os.PathLike[str]"]
"""A path."""
