"""Fields of `report`, `compare`.

Made from the command line's parser by python/tests/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from crestline.fields.values import Place


class ReportFields(TypedDict, total=False):
    """Of `crestline report`."""

    output: Place | None
    """FILE: Page that is written"""

    title: str | None
    """TEXT: Title of the page, in place of the model's name"""

    include_text: bool | None
    """Put prompts and answers of the requests that are shown into the page"""


class CompareFields(TypedDict, total=False):
    """Of `crestline compare`."""

    a: str | Sequence[str] | None
    """RUN: Runs of A, where there are several"""

    b: str | Sequence[str] | None
    """RUN: Runs of B, where there are several"""

    threshold: float | None
    """PCT: How much worse B may be, in percent, before it is a regression; smaller differences
    are none that matter"""

    metrics: str | Sequence[Any] | None
    """LIST: Figures to compare, with commas: a metric such as `ttft` (its mean, p50 and p99), or
    one figure such as `p90_itl`"""

    confidence: float | None
    """P: Probability that all intervals together hold the true differences"""

    seed: int | None
    """N: Seed of what is drawn for the intervals"""

    markdown: Place | None
    """FILE|-: Write the tables as Markdown; `-` prints them in place of the others"""

    junit: Place | None
    """FILE: Write JUnit XML: a suite for each load, a case for each figure, a failure where B
    regressed"""

    json: Place | None
    """FILE: Write everything as JSON"""
