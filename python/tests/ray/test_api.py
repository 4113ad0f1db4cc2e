"""Load from a cluster, asked for from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from crestline.errors import UsageError
from crestline.perf import Arguments, run_perf_benchmark

if TYPE_CHECKING:
    from tests.ray.conftest import Nodes


def arguments(url: str, **more: Any) -> Arguments:
    """A short load of two-token answers."""
    return Arguments(
        model="m",
        url=url,
        dataset="random",
        tokenizer_path="builtin",
        min_prompt_length=10,
        max_prompt_length=20,
        max_tokens=2,
        parallel=4,
        number=40,
        **more,
    )


def test_results_are_those_of_one_run(nodes: Nodes, sim: Callable[..., str]) -> None:
    url = sim("--profile", "constant-10ms")
    results = run_perf_benchmark(arguments(url, ray=nodes.address, workers=2))
    load = results["parallel_4_number_40"]
    assert load.metrics.total_requests == 40
    assert load.metrics.succeed_requests == 40
    assert sorted(load.run.requests.select("index").to_arrow()["index"].to_pylist()) == list(
        range(40)
    )
    assert not nodes.ray.is_initialized()


def test_a_connection_of_the_caller_is_used_and_stays(
    nodes: Nodes, sim: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    url = sim("--profile", "constant-10ms")
    nodes.ray.init(address=nodes.address, log_to_driver=False)
    try:
        results = run_perf_benchmark(arguments(url, ray="auto"))
        assert results["parallel_4_number_40"].metrics.succeed_requests == 40
        assert nodes.ray.is_initialized()
    finally:
        nodes.ray.shutdown()
    assert "load from 2 workers" in capfd.readouterr().err


def test_code_of_the_caller_is_not_sent_to_a_cluster(nodes: Nodes) -> None:
    with pytest.raises(UsageError, match="code are not sent to other machines"):
        run_perf_benchmark(
            Arguments(
                model="m",
                url="http://127.0.0.1:9",
                dataset=lambda index: f"prompt {index}",
                ray=nodes.address,
            )
        )
    assert not nodes.ray.is_initialized()


def test_what_the_cluster_cannot_do_is_wrong_use(nodes: Nodes, sim: Callable[..., str]) -> None:
    url = sim("--profile", "constant-10ms")
    with pytest.raises(UsageError) as refused:
        run_perf_benchmark(arguments(url, ray=nodes.address, workers=5))
    assert refused.value.cause == "the cluster has 2 nodes with a CPU, 5 workers need 5"
    assert "--workers 2" in str(refused.value.hint)
