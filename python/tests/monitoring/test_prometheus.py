"""The page for Prometheus, as Prometheus's own parser reads it."""

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

RUN = (
    "--model m --tokenizer-path builtin --dataset random --max-tokens 8 --min-prompt-length 20"
    " --max-prompt-length 30 --parallel 1 4 --number 5 20 --no-timestamp --name run --warmup-num 2"
    " --sleep-interval 0 --prometheus-port 0 --prometheus-host 127.0.0.1 --prometheus-linger 60"
)
KEYS = {
    "crestline_request_duration_seconds": ("Avg Latency (s)", 1.0),
    "crestline_time_to_first_token_seconds": ("Avg TTFT (ms)", 1e3),
    "crestline_time_per_output_token_seconds": ("Avg TPOT (ms)", 1e3),
    "crestline_inter_token_latency_seconds": ("Avg ITL (ms)", 1e3),
}
"""Histograms, the key of the summary that their mean stands for, and its units in a second."""


def last_page(program: Path, url: str) -> str:
    """The page when all loads are done."""
    command = [str(program), "perf", "--url", url, *RUN.split()]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            address = None
            for line in process.stderr:
                if found := re.search(r"metrics stay at (\S+) for", line):
                    address = found[1]
                    break
            assert address is not None
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                page: str = answer.read().decode()
            process.send_signal(signal.SIGINT)
            process.stderr.read()
            assert process.wait() == 0
        finally:
            process.kill()
    return page


def value(families: dict[str, Any], family: str, sample: str, **labels: str) -> float:
    """The only sample of that name with these labels."""
    (found,) = [
        one.value
        for one in families[family].samples
        if one.name == sample and labels.items() <= one.labels.items()
    ]
    return float(found)


@pytest.mark.parametrize("place", ["virtual", "live"])
def test_the_page_is_valid_and_has_what_the_summaries_have(
    program: Path, folder: Path, sim: Callable[..., str], place: str
) -> None:
    url = sim("--profile", "constant-20ms") if place == "live" else "sim:constant-20ms"
    families = {
        family.name: family for family in text_string_to_metric_families(last_page(program, url))
    }
    for parallel, number in (("1", 5), ("4", 20)):
        load = folder / "outputs" / "run" / f"parallel_{parallel}_number_{number}"
        summary = json.loads((load / "benchmark_summary.json").read_text())
        for name, (key, units) in KEYS.items():
            count = value(families, name, f"{name}_count", parallel=parallel)
            total = value(families, name, f"{name}_sum", parallel=parallel)
            # The summary is rounded to two digits behind the point, at the least.
            assert total / count * units == pytest.approx(summary[key], abs=0.006), name
            highest = value(families, name, f"{name}_bucket", parallel=parallel, le="+Inf")
            assert highest == count
        succeeded = value(
            families,
            "crestline_requests_succeeded",
            "crestline_requests_succeeded_total",
            parallel=parallel,
        )
        assert succeeded == summary["Success Requests"] == number
        warm = value(
            families,
            "crestline_warmup_requests",
            "crestline_warmup_requests_total",
            parallel=parallel,
        )
        assert warm == 2
    kinds = {name: family.type for name, family in families.items()}
    assert kinds["crestline_send_lag_seconds"] == "histogram"
    assert kinds["crestline_requests_sent"] == "counter"
    if place == "live":
        sound = value(families, "crestline_client_sound", "crestline_client_sound", parallel="4")
        assert sound in (0, 1)
