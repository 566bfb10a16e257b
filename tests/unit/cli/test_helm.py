"""inject under Helm, as a plugin and as a post-renderer: Helm 3 takes a program, Helm 4 the name of a plugin."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.unit.install.helmcli import HELM
from tests.unit.meshing.texts import DEPLOYMENT
from webhook.yaml.objects import read

ROOT = Path(__file__).parents[3]
PLUGINS = (ROOT / "deploy" / "helm-plugin", ROOT / "deploy" / "helm-post-renderer")
HELM4 = os.environ.get("WEBHOOK_TEST_HELM4", "")

HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {"helm.sh/hook": pre-install}  # before all others
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: "migrate:1"}]}
"""


class Helm:
    """One Helm, with nothing of the user's, and a chart."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._home = folder / "home"
        self.chart = folder / "web"
        templates = self.chart / "templates"
        templates.mkdir(parents=True)
        self._home.mkdir()
        (self.chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
        (templates / "web.yaml").write_text(DEPLOYMENT)
        (templates / "hook.yaml").write_text(HOOK)
        (templates / "no-kind.yaml").write_text("a: 1 # of nobody's\n")

    @property
    def takes_programs(self) -> bool:
        """Whether post-renderers are programs: until Helm 3."""
        return self.run("version", "--short").startswith("v3")

    def run(self, *arguments: str) -> str:
        """Run it, and return its standard output."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(self._home)}
        done = subprocess.run([self._program, *arguments], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rendered(self) -> str:
        """The chart through the post-renderer."""
        if self.takes_programs:
            renderer = ["linkerd-webhook", "inject", "--ignore-cluster", "-"]
        else:
            self.run("plugin", "install", str(PLUGINS[1]))
            renderer = ["linkerd-webhook-inject", "--ignore-cluster"]
        flags = [f"--post-renderer={renderer[0]}", *(f"--post-renderer-args={argument}" for argument in renderer[1:])]
        return self.run("template", "web", str(self.chart), *flags)


@pytest.fixture(params=["WEBHOOK_TEST_HELM", "WEBHOOK_TEST_HELM4"])
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    """Each Helm that there is."""
    program = HELM if request.param == "WEBHOOK_TEST_HELM" else HELM4
    if not program:
        pytest.skip(f"no helm in {request.param}")
    return Helm(program, tmp_path)


def test_the_plugins_have_the_version_of_the_program() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {yaml.safe_load((folder / "plugin.yaml").read_text())["version"] for folder in PLUGINS} == {version}


def test_the_plugin_runs_the_program(helm: Helm) -> None:
    helm.run("plugin", "install", str(PLUGINS[0]))
    (helm.chart / "web.yaml").write_text(DEPLOYMENT)
    out = helm.run("linkerd-webhook", "inject", "--ignore-cluster", str(helm.chart / "web.yaml"))
    assert read(out)["spec"]["template"]["metadata"]["annotations"] == {"linkerd.io/inject": "enabled"}


def test_the_post_renderer_keeps_hooks_source_lines_and_what_has_no_kind(helm: Helm) -> None:
    out = helm.rendered()
    documents = {body.get("kind", ""): body for body in yaml.safe_load_all(out) if body}
    assert out.count("linkerd.io/inject: enabled") == (1 if helm.takes_programs else 2)
    assert documents["Deployment"]["spec"]["template"]["metadata"]["annotations"] == {"linkerd.io/inject": "enabled"}
    assert documents["Job"]["metadata"]["annotations"] == {"helm.sh/hook": "pre-install"}
    assert documents[""] == {"a": 1}
    for template in ("web.yaml", "hook.yaml", "no-kind.yaml"):
        assert f"# Source: web/templates/{template}" in out
    for comment in ("# pinned", "# before all others", "# of nobody's"):
        assert comment in out


def test_nothing_is_rendered_where_one_workload_cannot_be_injected(helm: Helm) -> None:
    broken = DEPLOYMENT.replace("    spec:\n", "    spec:\n      hostNetwork: true\n")
    (helm.chart / "templates" / "web.yaml").write_text(broken)
    # Helm 4 drops what a plugin writes to standard error.
    said = "Deployment web: hostNetwork is enabled" if helm.takes_programs else "exited with error"
    with pytest.raises(AssertionError, match=said):
        helm.rendered()
