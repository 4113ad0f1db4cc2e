"""Fields of `bench sweep serve`, `bench sweep serve_sla`, `bench sweep serve_workload`, `bench sweep startup`.

Made from the command line's parser by python/tests/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from crestline.fields.values import Pairs, Place


class SweepFields(TypedDict, total=False):
    """Of every sweep."""

    show_stdout: bool | None
    """Show what the commands print"""

    serve_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of server parameters"""

    serve_alias: Pairs | None
    """SHORT=NAME: Short names in the server command and the parameters that they stand for:
    `tp=tensor_parallel_size`"""

    output_dir: Place | None
    """FOLDER: Folder of experiments"""

    experiment_name: str | None
    """NAME: Name of this one [default: date and time]"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    dry_run: bool | None
    """Print the commands and folders, and start nothing"""

    resume: str | bool | None
    """NAME: Go on with an experiment: that of `--experiment-name`, or the one named here"""


class ServedSweepFields(SweepFields, total=False):
    """Of every sweep that runs benchmarks."""

    serve_cmd: str | Sequence[Any] | None
    """COMMAND: Command that starts the server, as typed in a shell; no shell runs it"""

    bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command of the benchmark; `crestline bench serve` is run without a process of its
    own"""

    after_bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command to run after each benchmark, in place of resetting the server's caches; ''
    if there is nothing to reset"""

    bench_native: bool | None
    """Run `vllm bench serve` by crestline itself, also where vLLM is installed"""

    virtual_time: bool | None
    """Start nothing and simulate the servers in virtual time: the serve command must begin with
    `crestline sim`"""

    server_ready_timeout: float | None
    """SECONDS: Longest time until the server is ready"""

    server_address: str | None
    """HOST:PORT: Where the server is asked, if its command does not say it with --host and
    --port"""

    server_health_path: Place | None
    """PATH: The page that answers 200 when it is"""

    server_stop_timeout: float | None
    """SECONDS: Time between the request to end and the end by force"""

    bench_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of benchmark parameters"""

    link_vars: str | Sequence[Any] | None
    """PAIRS: Only combinations in which these have equal values: `SERVER=BENCH`, with commas"""

    num_runs: int | None
    """N: Runs of each combination"""

    warmup_num_prompts: int | None
    """N: Prompts of a run before the first, which is not counted; 0 for none"""

    continue_on_error: bool | None
    """Write down what failed and go on with the next combination"""


class SweepServeFields(ServedSweepFields, total=False):
    """Of `crestline bench sweep serve`."""


class SweepServeSlaFields(ServedSweepFields, total=False):
    """Of `crestline bench sweep serve_sla`."""

    sla_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the SLAs: a list of objects such as `{"p99_e2el_ms": "<=200",
    "p99_tpot_ms": "<50"}`, or an object of names and such objects. All of an object must hold;
    each object has an answer of its own"""

    sla_variable: Literal["request_rate", "max_concurrency"] | None
    """What is varied"""

    sla_search: Literal["crest", "pchip"] | None
    """How loads are chosen: `crest`, one session with each server and a statistical answer for
    all SLAs; `pchip`, separate runs and the search that vLLM had, to compare with its answers"""

    sla_lower_bound: float | None
    """N: Lowest load of the search; whole for `max_concurrency` and `pchip`. Services of less
    than one request a second need less [default: 1]"""

    sla_upper_bound: float | None
    """N: Highest load of the search [default: 8192]"""

    sla_confidence: str | float | None
    """SHARE: How sure the reported load must be to meet the SLA: `0.9` or `90%`; `crest` only
    [default: 0.9]"""

    sla_tolerance: str | float | None
    """SHARE: Relative precision at which a search may end: `0.05` or `5%`; `crest` only [default:
    0.05]"""

    sla_budget: str | Sequence[str] | None
    """BUDGET: What the search on one server and benchmark may spend: time (`10m`), requests
    (`20000req`), tokens of answers (`5Mtok`), also several of them; whatever is used up first
    ends it; `crest` only [default: no limit of one's own]"""

    prune: bool | None
    """Race the server combinations: search them in turns, and stop one early when another one
    certainly serves more within the same SLA; `crest` only"""


class SweepServeWorkloadFields(ServedSweepFields, total=False):
    """Of `crestline bench sweep serve_workload`."""

    workload_var: Literal["request_rate", "max_concurrency"] | None
    """What is varied: requests a second or requests in flight"""

    workload_iters: int | None
    """N: Loads in all, with both ends; at least 2"""

    workload_spacing: Literal["knee", "linear", "geometric"] | None
    """Where the loads in between lie: close where service gets worse, at equal distances (vLLM),
    or in equal ratios"""


class SweepStartupFields(SweepFields, total=False):
    """Of `crestline bench sweep startup`."""

    startup_cmd: str | Sequence[Any] | None
    """COMMAND: Command of the benchmark; `crestline bench startup --serve-cmd …` is run without a
    process of its own"""

    startup_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of parameters of the benchmark"""

    strict_params: bool | None
    """Refuse parameters that the benchmark does not know, in place of leaving them out"""

    num_runs: int | None
    """N: Runs of each combination, of several starts each"""
