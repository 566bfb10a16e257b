"""Linkerd is upgraded underneath the running webhook: the Pods that roll out are those of the release in force."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.e2e.api import JSON
from tests.e2e.objects import container
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster, run
from webhook.mesh.defaults import default_values

BEFORE, AFTER = "stable-2.14", "version-2.17"
LIBRARY = "/usr/lib/linkerd"
PROGRAMS = {
    "linkerd-proxy": (f"{LIBRARY}/linkerd2-proxy", "serve", "4191"),
    "linkerd-init": (f"{LIBRARY}/linkerd2-proxy-init",),
}


@pytest.fixture
def config(cluster: Cluster) -> Iterator[None]:
    """The control plane's own values, after the test."""
    own = cluster.kubectl("-n", "linkerd", "get", "configmap", "linkerd-config", "-o", "json").ok()
    yield
    _exchange(cluster, json.loads(own)["data"]["values"])


@pytest.mark.usefixtures("installation", "config")
def test_a_rollout_gets_the_release_before_and_the_next_one_that_after_it(cluster: Cluster, tmp_path: Path) -> None:
    within = workloads.namespace(cluster, "upgraded")
    for line in (BEFORE, AFTER):
        values = default_values(line).decode()
        _put_images(cluster, tmp_path, yaml.safe_load(values))
        _exchange(cluster, values)
        until(f"Pods of {line}", partial(_would_be_of, cluster, within, line), within=120)
        body = workloads.deployment(within)
        pods = workloads.roll_out(cluster, body) if line == BEFORE else workloads.restart(cluster, within)
        workloads.assert_meshed(pods)
        assert {_release(pod) for pod in pods} == {yaml.safe_load(values)["linkerdVersion"]}
        assert {_has_shutdown_variable(pod) for pod in pods} == {line == AFTER}


def _put_images(cluster: Cluster, folder: Path, values: JSON) -> None:
    """Stand-ins for the images of a release, which answer probes and mesh nothing."""
    proxy, init = values["proxy"]["image"]["name"], values["proxyInit"]["image"]
    images = {
        "linkerd-proxy": f"{proxy}:{values['linkerdVersion']}",
        "linkerd-init": f"{init['name']}:{init['version']}",
    }
    paths = " ".join((*(program[0] for program in PROGRAMS.values()), f"{LIBRARY}/linkerd-await"))
    for name, image in images.items():
        archive = folder / f"{name}.tar"
        line = [str(cluster.script), "image-tiny", str(archive), image, *PROGRAMS[name]]
        run(line, env={**os.environ, "TINY_PATHS": paths}).ok()
        cluster.node_script("image-load", str(cluster.folder), str(archive))


def _exchange(cluster: Cluster, values: str) -> None:
    """What an upgrade of Linkerd does to its settings."""
    change = json.dumps({"data": {"values": values}})
    cluster.kubectl("-n", "linkerd", "patch", "configmap", "linkerd-config", "--type=merge", "-p", change).ok()


def _would_be_of(cluster: Cluster, within: str, line: str) -> bool:
    done = workloads.create(cluster, workloads.pod(within), "--dry-run=server", "-o", "json")
    return done.code == 0 and _release(json.loads(done.out)).startswith(line)


def _release(pod: JSON) -> str:
    return str(pod["metadata"]["annotations"].get("linkerd.io/proxy-version"))


def _has_shutdown_variable(pod: JSON) -> bool:
    """A variable that came between the two."""
    proxy = container(pod, "linkerd-proxy")
    assert proxy is not None
    return "LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED" in [entry["name"] for entry in proxy["env"]]
