"""`crestline.bench`, `sweep`, `simulate`, `report` and `compare`."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import crestline
from crestline.errors import RunFailed

BENCH: dict[str, Any] = {
    "base_url": "sim:constant-20ms",
    "model": "m",
    "tokenizer": "builtin",
    "random_input_len": 8,
    "random_output_len": 4,
    "num_prompts": 3,
}
BENCH_LINE = "crestline bench serve --model m --tokenizer builtin --random-input-len 8 --random-output-len 4 --num-prompts 3"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) != 0


def test_a_benchmark_is_the_document_with_its_requests(folder: Path) -> None:
    result = crestline.bench.serve(**BENCH, quiet=True)
    assert (result["completed"], result["failed"]) == (3, 0)
    assert result["mean_ttft_ms"] == 20 and result["duration"] == 0.08
    assert len(result.run.requests) == 3
    assert not result.health.is_void
    place = result.folder
    assert place.exists() and list(folder.iterdir()) == []
    del result
    assert not place.exists(), "what nobody asked to keep goes with the result"


def test_results_that_are_kept_are_the_same() -> None:
    fields = {**BENCH, "save_result": True, "result_dir": "kept", "result_filename": "r.json"}
    result = crestline.bench.serve(**fields, metadata={"team": "a"}, quiet=True)
    assert json.loads(Path("kept", "r.json").read_text()) == dict(result)
    assert result["team"] == "a"
    assert result.folder.is_relative_to("kept")


def test_several_runs_are_all_there() -> None:
    result = crestline.bench.serve(**BENCH, num_runs=3, quiet=True)
    assert [run["completed"] for run in result.runs] == [3, 3, 3]
    assert len({run.folder for run in result.runs}) == 3
    assert "<td>mean_ttft_ms</td>" in result._repr_html_()


def test_wrong_fields_of_a_benchmark_are_refused() -> None:
    with pytest.raises(crestline.UsageError, match="did you mean num_prompts"):
        crestline.bench.serve(num_prompt=3)  # type: ignore[call-arg]
    with pytest.raises(crestline.UsageError, match="--dataset-name does not know"):
        crestline.bench.serve(**BENCH, dataset_name="none")  # type: ignore[arg-type]


def test_a_benchmark_without_an_answer_fails() -> None:
    fields = {**BENCH, "base_url": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises((RunFailed, crestline.UsageError)):
        crestline.bench.serve(**fields, quiet=True)


def test_a_sweep_has_a_row_for_each_run_and_leaves_no_server() -> None:
    port = free_port()
    result = crestline.sweep(
        "serve",
        serve_cmd=["crestline", "sim", "--profile", "constant-20ms", "--port", str(port)],
        bench_cmd=f"{BENCH_LINE} --port {port}",
        serve_params=[{"max_num_seqs": 1}, {"max_num_seqs": 4}],
        bench_params=[{"max_concurrency": 2}],
        num_runs=2,
        quiet=True,
    )
    assert [row["max_num_seqs"] for row in result] == [1, 1, 4, 4]
    assert all(row["completed"] == 3 for row in result)
    assert result.folder is not None and (result.folder / "summary.csv").exists()
    assert len(result.to_pandas()) == 4
    assert "<th>max_concurrency</th>" in result._repr_html_() or "<th>" in result._repr_html_()
    assert is_free(port)


def test_a_sweep_finds_the_highest_load_of_each_server() -> None:
    result = crestline.sweep(
        "serve_sla",
        serve_cmd="crestline sim --profile gpu-small",
        bench_cmd="crestline bench serve --model m --tokenizer builtin --random-input-len 64 --random-output-len 16",
        serve_params=[{"max_num_seqs": 32}],
        sla_params=[{"p99_ttft_ms": "<=500"}, {"p99_ttft_ms": "<=0.001"}],
        virtual_time=True,
        quiet=True,
    )
    met, unmet = (answer["ranking"][0] for answer in result.answers)
    assert met["load"] > 1 and unmet["load"] is None
    assert result.exit_code == 3, "an answer, not an error"


def test_the_module_keeps_servers_where_there_is_no_program(folder: Path) -> None:
    port = free_port()
    command = ["crestline", "bench", "sweep", "serve", "--num-runs", "1", "--output-dir", "out"]
    command += ["--serve-cmd", f"crestline sim --profile constant-20ms --port {port}"]
    command += ["--bench-cmd", f"{BENCH_LINE} --port {port}"]
    code = (
        "import sys; from crestline import _native; "
        "_native.started_by([sys.executable, '-m', 'crestline']); "
        f"sys.exit(_native.main({command!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "out").glob("*/summary.csv"))) == 1
    assert is_free(port)


def test_a_simulation_is_the_same_each_time_and_leaves_nothing(folder: Path) -> None:
    fields: dict[str, Any] = {"parallel": [1, 32], "number": [4, 320]}
    one, other = (crestline.simulate("a100-qwen2.5-0.5b", **fields) for _ in range(2))
    assert dict(one)["parallel_32_number_320"].metrics == other["parallel_32_number_320"].metrics
    assert len(one["parallel_32_number_320"].run.requests) == 320
    place = one.folder
    assert place is not None and place.exists() and list(folder.iterdir()) == []
    del one
    assert not place.exists()


def test_a_profile_may_be_a_dictionary() -> None:
    profile = {"max_num_seqs": 8, "iteration": {"base_ms": 5.0, "decode_us_per_sequence": 0.0}}
    slow = {**profile, "iteration": {"base_ms": 50.0, "decode_us_per_sequence": 0.0}}
    fields: dict[str, Any] = {"parallel": 2, "number": 10, "max_tokens": 16}
    fast, late = (crestline.simulate(one, **fields) for one in (profile, slow))
    name = "parallel_2_number_10"
    assert fast[name].metrics.avg_tpot < late[name].metrics.avg_tpot
    with pytest.raises(crestline.UsageError, match="base_s"):
        crestline.simulate({"iteration": {"base_s": 5}})
    with pytest.raises(crestline.UsageError, match="profile"):
        crestline.simulate("gpu-smal")


def test_runs_are_compared_and_shown_on_a_page(folder: Path) -> None:
    def simulated(milliseconds: float) -> crestline.perf.PerfResults:
        return crestline.simulate(
            {"iteration": {"base_ms": milliseconds, "noise": 0.05}}, parallel=4, number=400
        )

    fast, slow = simulated(10.0), simulated(12.0)
    compared = crestline.compare(fast, slow)
    assert compared.regressed and compared["regressed"] and compared.exit_code == 4
    assert not crestline.compare(slow, fast).regressed
    assert "B to A" in compared.text and compared.text.splitlines()[2] in compared._repr_html_()
    page = crestline.report(fast, slow, output=folder / "page.html", title="both")
    assert page == folder / "page.html" and "both" in page.read_text()
    with pytest.raises(crestline.UsageError):
        crestline.report(folder / "nowhere")
