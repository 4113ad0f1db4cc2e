"""Fields of every command with their types: one module a command, made from the command line's parser.

What is `None` is not given. Times are in the unit that the line above the field's help names.
"""

from crestline.fields.bench import BenchServeFields
from crestline.fields.pages import CompareFields, ReportFields
from crestline.fields.perf import PerfFields
from crestline.fields.sweeps import (
    SweepServeFields,
    SweepServeSlaFields,
    SweepServeWorkloadFields,
    SweepStartupFields,
)
from crestline.fields.values import Json, Pairs, Place

__all__ = [
    "BenchServeFields",
    "CompareFields",
    "Json",
    "Pairs",
    "PerfFields",
    "Place",
    "ReportFields",
    "SweepServeFields",
    "SweepServeSlaFields",
    "SweepServeWorkloadFields",
    "SweepStartupFields",
]
