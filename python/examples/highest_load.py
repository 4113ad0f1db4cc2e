"""The highest load within an SLA, and how sure that is.

python python/examples/highest_load.py [URL]: without one the simulated engine in virtual time.
"""

import sys

from crestline.perf import Arguments, run_perf_benchmark


def main(url: str = "sim:a100-qwen2.5-0.5b") -> None:
    """Searches, and prints the answer to each group of criteria."""
    results = run_perf_benchmark(
        Arguments(
            model="Qwen2.5-0.5B-Instruct",
            url=url,
            dataset="random",
            tokenizer_path="builtin",
            min_prompt_length=100,
            max_prompt_length=200,
            max_tokens=64,
            parallel=4,
            sla_auto_tune=True,
            sla_variable="parallel",
            sla_params=[{"p99_ttft": "<=200ms"}],
        ),
        quiet=True,
    )
    for found in results.selections:
        between = f"{found.interval.low:g} to {found.interval.high:g}" if found.interval else "-"
        print(f"{found.criteria}: {found.max_satisfied} users ({found.status}, {between})")
        print(f"limited by {found.binding}; {found.samples} requests; {found.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
