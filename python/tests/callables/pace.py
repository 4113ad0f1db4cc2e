"""What Python code costs a load: send lags with a data set, a builder and a parser in Python beside those without.

`python pace.py RATE SECONDS ROUNDS` measures the simulated server at full speed on this machine, in turn without and with
Python; every second line is the same load with it. `just bench-python` runs it.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from crestline import plugins
from crestline.perf import Arguments, run_perf_benchmark

PROGRAM = Path(sysconfig.get_path("scripts"), "crestline")
WORDS = "the quick brown fox jumps over the lazy dog and then it rests for a while".split()


def item(index: int) -> dict[str, Any]:
    """A text of sixteen words that no other request has."""
    return {"prompt": " ".join([str(index), *WORDS]), "max_tokens": 4 + index % 5}


class Chat:
    """Bodies and answers of the chat API, as a user would write them."""

    def build_request(self, prompt: Any, parameters: plugins.Parameters) -> dict[str, Any]:
        """A chat that asks for its length and for the server's counts."""
        return {
            "model": parameters.model,
            "messages": prompt,
            "max_tokens": parameters.max_tokens,
            "stream": parameters.stream,
            "stream_options": {"include_usage": True},
        }

    def parse_responses(self, responses: list[Any], request: Any) -> tuple[int, int, str]:
        """The counts of the last event, and all text."""
        usage = responses[-1]["usage"]
        choices = [event["choices"][0] for event in responses if event["choices"]]
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        return usage["prompt_tokens"], usage["completion_tokens"], text


BUILT_IN: dict[str, Any] = {
    "dataset": "random",
    "tokenizer_path": "builtin",
    "min_prompt_length": 24,
    "max_prompt_length": 24,
    "max_tokens": 6,
}
PYTHON: dict[str, Any] = {"dataset": item, "api": Chat()}


def measured(url: str, rate: float, seconds: float, fields: dict[str, Any]) -> str:
    """The line of one load."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = Arguments.from_dict(
            {
                "model": "m",
                "url": url,
                "open_loop": True,
                "rate": rate,
                "number": round(rate * seconds),
                "outputs_dir": folder,
                "no_text": True,
                **fields,
            }
        )
        [result] = run_perf_benchmark(arguments, quiet=True).values()
    seen = result.health.source
    lag = seen["send_lag_ms"]
    kind = "python" if "api" in fields else "built in"
    figures = f"{lag['p50']:9.3f} {lag['p99']:9.3f} {seen['achieved_rate']:9.0f} {seen['starved_sends']:8}"
    reasons = "".join(f"\n    {reason}" for reason in result.health.reasons)
    return f"{kind:9} {figures} {result.health.verdict}{reasons}"


def main() -> None:
    """Prints a line for each load."""
    rate, seconds, rounds = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    command = [str(PROGRAM), "sim", "--profile", "full-speed", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().removeprefix("listening at ").split()[0]
        print(f"{rate:.0f} req/s for {seconds:.0f} s; send lag in ms")
        print("              p50       p99     req/s  starved")
        for _ in range(rounds):
            for fields in (BUILT_IN, PYTHON):
                print(measured(url, rate, seconds, fields), flush=True)
        server.terminate()


if __name__ == "__main__":
    main()
