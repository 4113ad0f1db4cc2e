"""crestline finds the highest load an LLM service sustains within its SLA, and shows the evidence.

- `crestline.perf`: load tests and SLA searches, with the names of `evalscope perf`
- `crestline.bench.serve`: one benchmark, with the names of `vllm bench serve`
- `crestline.sweep`: servers and parameters, with the names of `vllm bench sweep`
- `crestline.simulate`: the simulated engine in virtual time
- `crestline.report`, `crestline.compare`: a page, and a comparison, of what was measured
- `crestline.plugins`: data sets, request builders and response parsers that are Python code
- `crestline.Run`: the requests of a run, as Arrow, pandas or Polars
"""

from crestline import bench, errors, perf, plugins
from crestline._pages import Comparison, compare, report
from crestline._simulate import simulate
from crestline._sweeps import SweepResult, sweep
from crestline.errors import CrestlineError, PluginError, RunFailed, UsageError
from crestline.run import Run

__all__ = [
    "Comparison",
    "CrestlineError",
    "PluginError",
    "Run",
    "RunFailed",
    "SweepResult",
    "UsageError",
    "bench",
    "compare",
    "errors",
    "perf",
    "plugins",
    "report",
    "simulate",
    "sweep",
]
