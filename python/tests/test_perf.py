"""`crestline.perf`: fields as they are given, results as they are found, in virtual time and on a served engine."""

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crestline import UsageError, perf
from crestline.errors import RunFailed
from crestline.perf import Arguments, run_perf_benchmark

FIELDS: dict[str, Any] = {
    "parallel": [1, 8],
    "number": [10, 60],
    "model": "m",
    "url": "sim:constant-20ms",
    "api": "openai",
    "dataset": "random",
    "min_tokens": 64,
    "max_tokens": 64,
    "prefix_length": 0,
    "min_prompt_length": 100,
    "max_prompt_length": 200,
    "tokenizer_path": "builtin",
    "extra_args": {"ignore_eos": True},
}
SLA: dict[str, Any] = {
    "model": "m",
    "url": "sim:a100-qwen2.5-0.5b",
    "dataset": "random",
    "tokenizer_path": "builtin",
    "min_prompt_length": 100,
    "max_prompt_length": 200,
    "max_tokens": 64,
    "parallel": 4,
    "sla_auto_tune": True,
    "sla_params": [{"p99_ttft": "<=0.2"}, {"p99_ttft": "<=1us"}],
}


def test_each_load_has_its_figures_under_its_name() -> None:
    results = run_perf_benchmark(Arguments.from_dict(FIELDS), quiet=True)
    assert list(results) == ["parallel_1_number_10", "parallel_8_number_60"]
    load = results["parallel_8_number_60"]
    assert (load.metrics.total_requests, load.metrics.failed_requests) == (60, 0)
    assert (load.metrics.avg_ttft, load.metrics.avg_tpot, load.metrics.avg_itl) == (20, 20, 20)
    assert load.metrics.avg_latency == 1.28, "64 iterations of 20 ms"
    assert load.metrics.success_rate == 100
    assert load.metrics.output_token_throughput == 60 * 64 / load.metrics.time_taken
    assert load.percentiles.get_p("99%", "ttft") == load.percentiles.get_p(99, "TTFT (ms)") == 20
    assert load.trace_summary is None
    assert load.workload_throughput is not None
    assert load.workload_throughput.rows[3].overall == load.metrics.output_token_throughput
    assert load.health.verdict == "sound"
    assert load["metrics"] is load.metrics
    assert results.exit_code == 0 and not results.interrupted


def test_results_are_what_the_files_say() -> None:
    results = run_perf_benchmark(Arguments.from_dict(FIELDS), quiet=True)
    for name, load in results.items():
        assert results.folder is not None and load.folder == results.folder / name
        summary = json.loads((load.folder / "benchmark_summary.json").read_text())
        assert load.metrics.to_dict() == summary
        rows = json.loads((load.folder / "benchmark_percentile.json").read_text())
        assert load.percentiles.to_list() == rows
        assert len(load.run.requests) == load.metrics.total_requests
    again = perf.read_results(str(results.folder))
    assert dict(again) == dict(results)


@pytest.mark.parametrize("form", ["arguments", "dict", "namespace", "json", "yaml"])
def test_fields_may_come_in_any_form(form: str, folder: Path) -> None:
    fields = {**FIELDS, "parallel": 2, "number": 4, "name": None}
    file = folder / "fields"
    file.write_text(json.dumps(fields))
    given: dict[str, Callable[[], perf.Given]] = {
        "arguments": lambda: Arguments.from_dict(fields),
        "dict": lambda: fields,
        "namespace": lambda: Namespace(**fields),
        "json": lambda: Arguments.from_json(file),
        "yaml": lambda: Arguments.from_yaml(file),
    }
    results = run_perf_benchmark(given[form](), quiet=True)
    assert list(results) == ["parallel_2_number_4"]


def test_fields_are_what_the_command_line_reads() -> None:
    arguments = Arguments(
        model="m",
        headers={"X-A": "1", "X-B": "a=b"},
        stop=["one", "two"],
        stream=False,
        open_loop=True,
        rate=[0.5, 2],
        no_timestamp=False,
        sla_params=[{"p99_ttft": "<=1"}],
        model_id="shown",
    )
    assert arguments.to_command() == [
        "perf",
        "--model=m",
        "--headers",
        "X-A=1",
        "X-B=a=b",
        "--stop",
        "one",
        "two",
        "--no-stream",
        "--open-loop",
        "--rate",
        "0.5",
        "2",
        '--sla-params=[{"p99_ttft": "<=1"}]',
        "--name=shown",
    ]


def test_arguments_are_read_and_never_changed() -> None:
    arguments = Arguments.from_dict(FIELDS)
    before = arguments.to_dict()
    run_perf_benchmark(arguments, quiet=True)
    arguments.parallel.append(3)
    arguments.to_dict()["number"].append(3)
    assert arguments.to_dict() == before == FIELDS
    assert (arguments.sleep_interval, arguments.dataset, arguments.rate) == (5.0, "random", None)
    with pytest.raises(AttributeError, match="never change"):
        arguments.parallel = 3
    with pytest.raises(AttributeError, match="no field"):
        arguments.nonsense  # noqa: B018
    assert "secret" not in repr(Arguments(api_key="secret", headers={"authorization": "secret"}))


def test_an_unknown_field_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError) as refused:
        Arguments.from_dict({"tokeniser_path": "builtin"})
    assert refused.value.title == "unknown field tokeniser_path"
    assert refused.value.hint == "did you mean tokenizer_path?"
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"parallel": "many"}, "--parallel cannot be many"),
        ({"arrival": "daily"}, "--arrival does not know the value daily"),
        ({"open_loop": "yes"}, "open_loop cannot be 'yes'"),
        ({"parallel": True}, "parallel cannot be True"),
        ({"model": object}, "model cannot be <class 'object'>"),
        ({"duration": {"s": 3}}, "duration cannot be {'s': 3}"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_sent(
    fields: dict[str, Any], title: str, folder: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        run_perf_benchmark({**FIELDS, **fields}, quiet=True)
    assert refused.value.title == title
    assert not (folder / "outputs").exists()


def test_numbers_of_other_libraries_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    command = Arguments.from_dict({"parallel": numpy.array([1, 8]), "rate": numpy.float64(0.5)})
    assert command.to_command() == ["perf", "--parallel", "1", "8", "--rate=0.5"]


def test_a_search_has_an_answer_for_each_group() -> None:
    results = run_perf_benchmark(SLA, quiet=True)
    met, unmet = results.selections
    assert met.status == met.verdict == "value"
    assert met.max_satisfied is not None and met.interval is not None
    assert met.interval.low <= met.max_satisfied <= met.interval.high
    assert met.binding == "p99_ttft <= 0.2" and met.samples > 100 and met.reason
    assert (unmet.status, unmet.max_satisfied) == ("infeasible", None)
    assert results.exit_code == 3, "an answer, not an error"
    tried = results[f"parallel_{results.probes[2].load:g}"]
    measured = results.probes[2].measured["p99_ttft"]
    assert measured is not None
    assert tried.percentiles.get_p("99%", "ttft") == pytest.approx(1000 * measured, rel=0.5)
    assert tried["metrics"]["Avg TTFT (ms)"] == tried.metrics.avg_ttft > 0
    assert isinstance(results, perf.SlaResults) and not results.health.is_void
    totals = results.document["totals"]
    assert len(results.run.requests) == totals["requests"] + totals["given_up"]


def test_a_served_engine_is_measured(sim: Callable[..., str]) -> None:
    url = sim("--profile", "constant-10ms")
    fields = {**FIELDS, "url": url, "parallel": 4, "number": 12, "max_tokens": 8, "min_tokens": 8}
    load = run_perf_benchmark(fields, quiet=True)["parallel_4_number_12"]
    assert load.metrics.succeed_requests == 12
    assert load.metrics.avg_ttft >= 10 and load.metrics.avg_latency >= 0.08
    frame = load.run.requests.to_arrow().to_pylist()
    assert sum(row["ttft"] for row in frame) / 12 * 1000 == pytest.approx(
        load.metrics.avg_ttft, abs=0.006
    )


def test_where_nothing_succeeds_the_failures_are_in_the_result(sim: Callable[..., str]) -> None:
    url = sim("--profile", "constant-10ms", "--fault", "http-500=1")
    fields = {**FIELDS, "url": url, "parallel": 2, "number": 4, "no_test_connection": True}
    with pytest.raises(RunFailed, match="no request succeeded") as failed:
        run_perf_benchmark(fields, quiet=True)
    assert isinstance(failed.value.result, perf.PerfResults)
    load = failed.value.result["parallel_2_number_4"]
    assert sum(load.metrics.failures.values()) == load.metrics.failed_requests == 4


def test_results_are_shown_in_a_notebook() -> None:
    results = run_perf_benchmark(FIELDS, quiet=True)
    html = results._repr_html_()
    assert "<td>parallel_8_number_60</td>" in html and "<th>Avg TTFT (ms)</th>" in html
    load = results["parallel_8_number_60"]
    assert "<td>99%</td>" in load._repr_html_() and "Avg TPOT (ms)" in load._repr_html_()
    answers = run_perf_benchmark(SLA, quiet=True)._repr_html_()
    assert "<td>p99_ttft &lt;= 0.2</td>" in answers, "texts are quoted"
