"""A Ray cluster of two nodes on this machine: real raylets, no dashboard, small object stores."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# The time in which Ray says that a node is gone whose raylet was killed.
os.environ["RAY_health_check_period_ms"] = "500"

OBJECT_STORE_BYTES = 80 * 1024 * 1024


@dataclass
class Nodes:
    """What a test needs of the cluster."""

    address: str
    """HOST:PORT."""
    ray: Any
    cluster: Any


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Two nodes with a CPU each, for all tests: a cluster takes seconds to start."""
    ray = pytest.importorskip("ray", reason="the package ray is not installed")
    cluster_utils = importlib.import_module("ray.cluster_utils")
    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES}
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={**node, "include_dashboard": False}
    )
    cluster.add_node(**node)
    try:
        yield Nodes(cluster.address, ray, cluster)
    finally:
        ray.shutdown()
        cluster.shutdown()
