"""crestline finds the highest load an LLM service sustains within its SLA, and shows the evidence.

- `crestline.perf`: load tests and SLA searches, with the names of `evalscope perf`
- `crestline.bench.serve`: one benchmark, with the names of `vllm bench serve`
- `crestline.sweep`: servers and parameters, with the names of `vllm bench sweep`
- `crestline.simulate`: the simulated engine in virtual time
- `crestline.report`, `crestline.compare`: a page, and a comparison, of what was measured
- `crestline.Run`: the requests of a run, as Arrow, pandas or Polars
"""

from crestline import bench, errors, perf
from crestline._pages import Comparison, compare, report
from crestline._simulate import simulate
from crestline._sweeps import SweepResult, sweep
from crestline.errors import CrestlineError, RunFailed, UsageError
from crestline.run import Run

__all__ = [
    "Comparison",
    "CrestlineError",
    "Run",
    "RunFailed",
    "SweepResult",
    "UsageError",
    "bench",
    "compare",
    "errors",
    "perf",
    "report",
    "simulate",
    "sweep",
]
