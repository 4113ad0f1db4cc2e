"""What docs/guide/distributed.md shows for Kubernetes: a manifest that is one, with a command that is one."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).parents[3] / "docs/guide/distributed.md"


@pytest.fixture
def job() -> dict[str, Any]:
    """The manifest. Ray brings the reader of YAML along."""
    yaml = pytest.importorskip("yaml", reason="the package ray, which brings yaml, is not installed")
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found is not None
    manifest: dict[str, Any] = yaml.safe_load(found[1])
    return manifest


def test_there_is_a_pod_for_each_worker_on_a_machine_of_its_own(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    command = shlex.split(job["spec"]["entrypoint"])
    workers = int(command[command.index("--workers") + 1])
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (senders,) = cluster["workerGroupSpecs"]
    assert {senders["replicas"], senders["minReplicas"], senders["maxReplicas"]} == {workers}
    template = senders["template"]
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["whenUnsatisfiable"] == "DoNotSchedule"
    assert spread["labelSelector"]["matchLabels"] == template["metadata"]["labels"]
    for pod in (template, cluster["headGroupSpec"]["template"]):
        for container in pod["spec"]["containers"]:
            resources = container["resources"]
            assert resources["requests"] == resources["limits"]


def test_results_are_written_to_a_volume(job: dict[str, Any]) -> None:
    command = shlex.split(job["spec"]["entrypoint"])
    folder = command[command.index("--outputs-dir") + 1]
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    (mount,) = head["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == folder
    (volume,) = head["volumes"]
    assert volume["name"] == mount["name"] and "persistentVolumeClaim" in volume


def test_its_command_is_understood(job: dict[str, Any], program: Path, folder: Path) -> None:
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[0] == "crestline"
    for flag, value in (
        ("--url", "sim:constant-20ms"),
        ("--outputs-dir", str(folder)),
        ("--parallel", "4"),
        ("--number", "8"),
    ):
        words[words.index(flag) + 1] = value
    for flag in ("--ray", "--workers"):
        place = words.index(flag)
        del words[place : place + 2]
    ran = subprocess.run([str(program), *words[1:]], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
