"""A sweep of fixed loads, and what came of each.

python python/examples/quick_start.py [URL [TOKENIZER]]: a service such as http://127.0.0.1:8801/v1/chat/completions and a
tokenizer such as Qwen/Qwen2.5-0.5B-Instruct; without them the simulated engine in virtual time and the builtin one.
"""

import sys

from crestline.perf import Arguments, run_perf_benchmark


def main(url: str = "sim:a100-qwen2.5-0.5b", tokenizer: str = "builtin") -> None:
    """Measures a service and prints a line for each load."""
    results = run_perf_benchmark(
        Arguments(
            parallel=[1, 10, 50, 100, 200],
            number=[10, 20, 100, 200, 400],
            model="Qwen2.5-0.5B-Instruct",
            url=url,
            api="openai",
            dataset="random",
            min_tokens=1024,
            max_tokens=1024,
            prefix_length=0,
            min_prompt_length=1024,
            max_prompt_length=1024,
            tokenizer_path=tokenizer,
            extra_args={"ignore_eos": True},
        )
    )
    for name, load in results.items():
        p99 = load.percentiles.get_p("99%", "ttft")
        print(f"{name}: {load.metrics.output_token_throughput:.0f} tok/s, TTFT p99 {p99:.0f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:3])
