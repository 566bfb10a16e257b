"""`linkerd-webhook krm`: by itself, and as kustomize calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from tests.unit.meshing.test_krm import ON_HOST, listed
from tests.unit.meshing.texts import DEPLOYMENT
from webhook.cli.main import cli
from webhook.kube.fields import texts
from webhook.mesh.defaults import default_trust_anchors
from webhook.yaml.objects import read

KUSTOMIZE = os.environ.get("WEBHOOK_TEST_KUSTOMIZE") or shutil.which("kustomize") or ""


def run(text: str, **settings: object) -> Result:
    """The function, with settings of an own kind."""
    if settings:
        config = {"apiVersion": "example.org/v1", "kind": "Mesh", "metadata": {"name": "all"}}
        spec = {name.replace("_", "-"): value for name, value in settings.items()}
        text += f"functionConfig: {orjson.dumps(config | {'spec': spec}).decode()}\n"
    return CliRunner().invoke(cli, ["krm"], input=text)


def asked_for(result: Result) -> dict[str, str]:
    """Those of the first item's Pod template."""
    return texts(read(result.stdout)["items"][0], "spec", "template", "metadata", "annotations")


def test_injects_by_the_settings() -> None:
    result = run(listed(DEPLOYMENT), proxy_log_level="debug", skip_inbound_ports=[25], registry="r.example.org")
    assert result.exit_code == 0
    assert asked_for(result) == {
        "config.linkerd.io/debug-image": "r.example.org/debug",
        "config.linkerd.io/proxy-image": "r.example.org/proxy",
        "config.linkerd.io/proxy-log-level": "debug",
        "config.linkerd.io/skip-inbound-ports": "25",
        "linkerd.io/inject": "enabled",
    }
    assert result.stderr == ""


def test_puts_the_proxy_in_itself_with_the_trust_anchors_in_the_settings() -> None:
    result = run(listed(DEPLOYMENT), manual=True, trust_anchors=default_trust_anchors().decode())
    spec = read(result.stdout)["items"][0]["spec"]["template"]["spec"]
    assert "linkerd-proxy" in [one["name"] for one in (*spec["initContainers"], *spec["containers"])]


def test_uninjects_where_it_is_to() -> None:
    text = run(listed(DEPLOYMENT), proxy_log_level="debug").stdout
    text = text[: text.index("results:")].replace("functionConfig", "was")
    assert asked_for(run(text, uninject=True)) == {"config.linkerd.io/proxy-log-level": "debug"}
    assert asked_for(run(text, uninject=True, all=True)) == {}


def test_ends_with_1_and_unchanged_items_where_one_cannot_be_injected() -> None:
    result = run(listed(DEPLOYMENT, ON_HOST))
    assert result.exit_code == 1
    assert result.stdout.startswith(listed(DEPLOYMENT, ON_HOST))
    assert result.stderr == "linkerd-webhook: Deployment web: hostNetwork is enabled\n"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ajar": True}, "ajar is not a setting"),
        ({"proxy_cpu_limit": "much"}, 'proxy-cpu-limit "much" is not a quantity'),
        ({"close_wait_timeout": "long"}, 'close-wait-timeout "long" is not a duration'),
        ({"pod_templates": "Rollout"}, 'pod-templates "Rollout": write KIND.GROUP:PATH'),
        ({"manual": True}, "--manual needs the mesh's trust anchors"),
        ({"values": "/nowhere/values"}, "cannot read /nowhere/values"),
        ({"values": "a: [\nb"}, "the values"),
        ({"release_line": "version-1.0"}, "version-1.0"),
        ({"linkerd_namespace": "No"}, '--linkerd-namespace "No"'),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_result_and_nothing_changes(
    settings: dict[str, object], message: str
) -> None:
    result = run(listed(DEPLOYMENT), **settings)
    assert result.exit_code == 1
    (finding,) = read(result.stdout)["results"]
    assert message in finding["message"]
    assert finding["resourceRef"]["kind"] == "Mesh"
    assert finding["field"]["path"].startswith("spec")
    assert "linkerd.io/inject" not in result.stdout


def test_what_is_no_resource_list_ends_with_2_and_no_output() -> None:
    result = run(DEPLOYMENT)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "run linkerd-webhook inject -" in result.stderr
    binary = CliRunner().invoke(cli, ["krm"], input=b"\xff")
    assert (binary.exit_code, binary.stdout) == (2, "")
    assert "not UTF-8" in binary.stderr


FUNCTION = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: linkerd
  annotations:
    config.kubernetes.io/function: |
      exec:
        path: {program}
        args: [krm]
data:
  {setting}
"""


@pytest.mark.skipif(not KUSTOMIZE, reason="no kustomize on PATH, nor in WEBHOOK_TEST_KUSTOMIZE")
class TestKustomize:
    def _build(self, folder: Path, setting: str, text: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).parent / "linkerd-webhook"
        (folder / "web.yaml").write_text(text)
        (folder / "linkerd.yaml").write_text(FUNCTION.format(program=program, setting=setting))
        (folder / "kustomization.yaml").write_text("resources: [web.yaml]\ntransformers: [linkerd.yaml]\n")
        command = [KUSTOMIZE, "build", "--enable-alpha-plugins", "--enable-exec", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    def test_builds_meshed_workloads(self, tmp_path: Path) -> None:
        done = self._build(
            tmp_path,
            "proxy-log-level: debug",
            f"{DEPLOYMENT}---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\n",
        )
        assert done.returncode == 0, done.stderr
        first, second = sorted(done.stdout.split("---\n"))
        assert read(first)["spec"]["template"]["metadata"]["annotations"] == {
            "config.linkerd.io/proxy-log-level": "debug",
            "linkerd.io/inject": "enabled",
        }
        assert read(second) == {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
        assert "annotations" not in read(first)["metadata"]

    def test_builds_workloads_without_the_proxy(self, tmp_path: Path) -> None:
        meshed = self._build(tmp_path, "proxy-log-level: debug", DEPLOYMENT).stdout
        done = self._build(tmp_path, 'uninject: "true"\n  all: "true"', meshed)
        assert read(done.stdout) == read(DEPLOYMENT)

    def test_builds_nothing_where_one_workload_cannot_be_injected(self, tmp_path: Path) -> None:
        done = self._build(tmp_path, "proxy-log-level: debug", ON_HOST)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Deployment web: hostNetwork is enabled" in done.stderr
