"""Messages to an OpenTelemetry collector, as OpenTelemetry's own schema reads them."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

RUN = (
    "perf --url sim:constant-20ms --model org/m --tokenizer-path builtin --dataset random"
    " --max-tokens 8 --min-prompt-length 20 --max-prompt-length 30 --parallel 1 4 --number 5 20"
    " --no-timestamp --name run"
)
SECONDS = (
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    "crestline.request.time_per_output_token",
    "crestline.client.send_lag",
)
"""Histograms in seconds."""


class Collector(HTTPServer):
    """Takes every message and keeps it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.heads: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def last(self) -> Any:
        """The last message, read by the schema; a field that is not there is an error."""
        return json_format.Parse(self.bodies[-1], ExportMetricsServiceRequest())


class Handler(BaseHTTPRequestHandler):
    """One message."""

    server: Collector

    def do_POST(self) -> None:
        """Keeps it."""
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heads.append(dict(self.headers) | {"path": self.path})
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector on a free port."""
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(of: Any) -> dict[str, Any]:
    """Names and values."""
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes
    }


def test_the_last_message_is_of_the_schema_and_has_what_the_summaries_have(
    program: Path, folder: Path, collector: Collector
) -> None:
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=core%20team",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=lab",
    }
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    command = [str(program), *RUN.split(), "--otlp-endpoint", endpoint]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert {head["path"] for head in collector.heads} == {"/v1/metrics"}
    assert {head["x-team"] for head in collector.heads} == {"core team"}
    for body in collector.bodies:
        json_format.Parse(body, ExportMetricsServiceRequest())

    (resource,) = collector.last().resource_metrics
    sender = attributes(resource.resource)
    assert sender["service.name"] == "crestline"
    assert sender["deployment.environment.name"] == "lab"
    (scope,) = resource.scope_metrics
    metrics = {metric.name: metric for metric in scope.metrics}
    for name in SECONDS:
        assert metrics[name].unit == "s"
        for point in metrics[name].histogram.data_points:
            assert sum(point.bucket_counts) == point.count
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert point.start_time_unix_nano < point.time_unix_nano

    points = metrics["gen_ai.client.operation.duration"].histogram.data_points
    by_load = {attributes(point)["crestline.load.parallel"]: point for point in points}
    assert by_load.keys() == {"1", "4"}
    for parallel, number in (("1", 5), ("4", 20)):
        load = folder / "outputs" / "run" / f"parallel_{parallel}_number_{number}"
        summary = json.loads((load / "benchmark_summary.json").read_text())
        point = by_load[parallel]
        assert point.count == summary["Success Requests"]
        assert point.sum / point.count == pytest.approx(summary["Avg Latency (s)"], abs=1e-4)
        assert attributes(point)["gen_ai.request.model"] == "org/m"
        assert attributes(point)["gen_ai.operation.name"] == "chat"
        (output,) = [
            point
            for point in metrics["gen_ai.client.token.usage"].histogram.data_points
            if attributes(point)["gen_ai.token.type"] == "output"
            and attributes(point)["crestline.load.parallel"] == parallel
        ]
        assert output.sum / output.count == summary["Avg Output Tokens"]
    ended = metrics["crestline.requests.ended"].sum
    assert ended.is_monotonic
    assert sum(point.as_int for point in ended.data_points) == 25
