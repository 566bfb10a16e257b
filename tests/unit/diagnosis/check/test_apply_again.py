"""The command that puts back what belongs to an installation."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from click.testing import CliRunner

from tests.unit.diagnosis.check.installed_cluster import NAMESPACE, InstalledCluster
from tests.unit.diagnosis.check.test_installation import WAYS, installation
from webhook.cli.install import install
from webhook.diagnosis.check.apply_again import apply_again
from webhook.install.configurations import NAME
from webhook.install.output import write


@pytest.mark.parametrize(
    "paths", [way for way in WAYS if "tokenProjection" not in way and "logFormat" not in way], ids=str
)
def test_it_prints_the_very_objects(paths: dict[str, Any]) -> None:
    cluster_state = installation(InstalledCluster(**paths))
    program, _, rest = apply_again(cluster_state).removesuffix(" | kubectl apply -f -").partition(" ")
    command, *flags = shlex.split(rest)
    assert (program, command) == ("linkerd-webhook", "install")
    done = CliRunner().invoke(install, [*flags, "--ignore-cluster"])
    assert done.exit_code == 0, done.output
    assert done.stdout == write(cluster_state.rendered().objects, "yaml")


def test_arguments_of_the_server_are_kept() -> None:
    cluster_state = installation(InstalledCluster(extraArgs=["--release-line=edge-26.8", "--x=a,b"]))
    assert "--set 'extraArgs={--release-line=edge-26.8,--x=a\\,b}'" in apply_again(cluster_state)


def test_helm_is_named_where_helm_installed_it() -> None:
    cluster = InstalledCluster()
    annotations = {"meta.helm.sh/release-name": "webhook", "meta.helm.sh/release-namespace": NAMESPACE}
    cluster["Deployment", NAME]["metadata"]["annotations"] = annotations
    assert apply_again(installation(cluster)).startswith("helm upgrade --namespace linkerd --reuse-values webhook")


def test_linkerd_is_named_where_only_the_image_was_exchanged() -> None:
    assert "linkerd upgrade" in apply_again(installation(InstalledCluster.image()))
