"""A command inside of a Python process: where its text goes, whom it lets run, and how it is ended."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crestline import perf
from crestline.perf import Arguments, run_perf_benchmark

VIRTUAL: dict[str, Any] = {
    "model": "m",
    "url": "sim:constant-20ms",
    "dataset": "random",
    "tokenizer_path": "builtin",
    "max_tokens": 16,
    "min_prompt_length": 32,
    "max_prompt_length": 32,
}


def endless(url: str) -> Arguments:
    """More than a test waits for: 10 ms a token, in small steps of requests."""
    return Arguments.from_dict({**VIRTUAL, "url": url, "parallel": 2, "number": 100_000})


def after(seconds: float, work: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()
    return timer


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_text_goes_where_python_prints(capsys: pytest.CaptureFixture[str]) -> None:
    run_perf_benchmark({**VIRTUAL, "number": 3})
    shown = capsys.readouterr()
    assert "Percentile results:" in shown.out
    assert "results go to" in shown.err and "Percentile" not in shown.err
    run_perf_benchmark({**VIRTUAL, "number": 3}, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_narrow_encoding_loses_letters_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with open(write, "w", encoding="ascii", buffering=1) as narrow:
        monkeypatch.setattr(sys, "stdout", narrow)
        results = run_perf_benchmark({**VIRTUAL, "number": 3})
        monkeypatch.undo()
    with open(read, encoding="ascii") as shown:
        text = shown.read()
    assert results["parallel_1_number_3"].metrics.succeed_requests == 3
    assert "Detailed Performance Metrics" in text and "???" in text


def test_progress_is_told_and_other_threads_run(sim: Callable[..., str]) -> None:
    seen: list[perf.Progress | perf.SearchProgress] = []
    turns = 0
    done = threading.Event()

    def turn() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0.001)

    other = threading.Thread(target=turn)
    other.start()
    fields = {**VIRTUAL, "url": sim("--profile", "constant-20ms"), "number": 8, "parallel": 1}
    run_perf_benchmark(fields, on_progress=seen.append, quiet=True)
    done.set()
    other.join()
    assert turns > 100, "eight requests of 320 ms"
    assert len(seen) >= 2
    loads = [progress for progress in seen if isinstance(progress, perf.Progress)]
    assert loads == seen
    assert [load.ended for load in loads] == sorted(load.ended for load in loads)
    assert all(load.total == 8 and load.sent >= load.ended for load in loads)


def test_the_first_ctrl_c_keeps_what_was_measured(sim: Callable[..., str]) -> None:
    url = sim("--profile", "constant-10ms")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    after(1.5, interrupt)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        run_perf_benchmark(endless(url), quiet=True)
    result = getattr(interrupted.value, "result")
    assert isinstance(result, perf.PerfResults) and result.interrupted
    load = result["parallel_2_number_100000"]
    assert load.metrics.succeed_requests > 0
    assert load.metrics.failed_requests == 0, "requests in flight may end"
    assert len(load.run.requests) == load.metrics.total_requests
    assert mask == signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_the_second_ctrl_c_does_not_wait_for_requests(sim: Callable[..., str]) -> None:
    url = sim("--profile", "constant-10ms")
    # Answers of twenty seconds, for which the first one would wait.
    long = {**endless(url).to_dict(), "max_tokens": 2000, "min_tokens": 2000, "grace": 3600}
    after(1.0, interrupt)
    after(2.0, interrupt)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_perf_benchmark(long, quiet=True)
    assert 2.0 <= time.monotonic() - began < 15


def test_a_callback_that_raises_ends_the_run(sim: Callable[..., str]) -> None:
    def fail(_progress: object) -> None:
        raise LookupError("mine")

    url = sim("--profile", "constant-10ms")
    with pytest.raises(LookupError, match="mine") as raised:
        run_perf_benchmark(endless(url), on_progress=fail, quiet=True)
    result = getattr(raised.value, "result")
    assert result["parallel_2_number_100000"].metrics.total_requests > 0


def test_any_thread_may_run_a_command() -> None:
    results: list[perf.PerfResults] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(run_perf_benchmark({**VIRTUAL, "number": 3}, quiet=True))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len({result.folder for result in results}) == 3
    assert all(one["parallel_1_number_3"].metrics.succeed_requests == 3 for one in results)


def test_a_handler_of_ones_own_is_heard(sim: Callable[..., str]) -> None:
    class Ended(Exception):
        pass

    def handle(_number: int, _frame: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, handle)
    try:
        after(1.0, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Ended):
            run_perf_benchmark(endless(sim("--profile", "constant-10ms")), quiet=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_trackers_run_in_the_python_of_the_call(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    # Neither the program's folder nor PATH leads to this interpreter's packages.
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    run_perf_benchmark({**VIRTUAL, "number": 3, "visualizer": "wandb"}, quiet=True)
    assert list(folder.rglob("offline-run-*"))
