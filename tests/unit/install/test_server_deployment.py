"""What a Deployment says of the certificate that its replicas serve."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.install.assign import merged
from webhook.install.render import render
from webhook.install.server_deployment import ServerDeployment, flag, server_deployment
from webhook.install.settings import defaults
from webhook.kube.webhookconfigurations import ServiceReference

JSON = dict[str, Any]

OURS = ServiceReference("linkerd", "linkerd-webhook")


def installed(**certificates: str) -> ServerDeployment:
    """What is read of the objects that `install` prints."""
    values = merged(defaults(), {"image": {"repository": "a/b"}, "certificates": certificates})
    by_kind = {body["kind"]: body for body in render(values, "linkerd").objects}
    result = server_deployment([by_kind["Deployment"]], by_kind["Service"], OURS)
    assert result is not None
    return result


def deployment(name: str, pod: JSON, labels: JSON | None = None) -> JSON:
    """A Deployment."""
    template = {"metadata": {"labels": labels or {"app": name}}, "spec": pod}
    return {"metadata": {"name": name}, "spec": {"template": template}}


def selecting(labels: JSON, port: str | int = "https") -> JSON:
    """A Service."""
    return {"spec": {"selector": labels, "ports": [{"port": 443, "targetPort": port}]}}


def test_an_installation_keeps_its_certificates_itself_unless_a_secret_is_named() -> None:
    installation = installed()
    assert (installation.where, installation.mode, installation.secret) == (
        "Deployment linkerd/linkerd-webhook",
        "self-managed",
        "",
    )
    assert (installation.wanted, installation.ready) == (2, 0)
    installation = installed(existingSecret="my-tls")
    assert (installation.mode, installation.secret) == ("files", "my-tls")


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        (["--certs", "self-managed"], "self-managed"),
        (["-certs=self-managed"], "self-managed"),
        (["--certs=self-managed", "--certs=files"], "files"),
        (["--certs"], "files"),
        ([], "files"),
    ],
)
def test_a_flag_is_read_in_each_form_and_the_last_counts(arguments: list[str], mode: str) -> None:
    result = server_deployment([deployment("linkerd-webhook", {"containers": [{"args": arguments}]})], None, OURS)
    assert result is not None
    assert result.mode == mode


def test_in_linkerds_own_deployment_it_is_the_container_that_the_service_leads_to() -> None:
    """Its destination Deployment has two validators with a Secret each."""

    def container(name: str, volume: str) -> JSON:
        mounts = [{"name": volume, "mountPath": "/var/run/linkerd/tls/"}]
        return {"name": name, "ports": [{"name": name, "containerPort": 1}], "volumeMounts": mounts}

    containers = [container("policy", "policy-tls"), container("sp-validator", "sp-tls")]
    volumes = [
        {"name": "policy-tls", "secret": {"secretName": "linkerd-policy-validator-k8s-tls"}},
        {"name": "sp-tls", "projected": {"sources": [{"secret": {"name": "linkerd-sp-validator-k8s-tls"}}]}},
    ]
    pod = {"containers": containers, "volumes": volumes}
    others = [deployment("linkerd-identity", {}), deployment("linkerd-destination", pod)]
    body = selecting({"app": "linkerd-destination"}, "sp-validator")
    result = server_deployment(others, body, ServiceReference("linkerd", "linkerd-sp-validator"))
    assert result is not None
    assert (result.name, result.mode, result.secret) == ("linkerd-destination", "files", "linkerd-sp-validator-k8s-tls")


def test_a_folder_of_another_name_is_found_by_its_flag() -> None:
    pod = {
        "containers": [{"args": ["--tls-dir=/tls"], "volumeMounts": [{"name": "x", "mountPath": "/tls"}]}],
        "volumes": [{"name": "x", "secret": {"secretName": "mine"}}],
    }
    result = server_deployment([deployment("linkerd-webhook", pod)], None, OURS)
    assert result is not None
    assert result.secret == "mine"


def test_a_deployment_whose_pods_the_service_does_not_select_is_another_s() -> None:
    assert server_deployment([deployment("linkerd-webhook", {})], selecting({"app": "else"}), OURS) is None
    assert server_deployment([], None, OURS) is None


def test_what_makes_no_sense_is_read_as_nothing() -> None:
    result = server_deployment([{"metadata": {"name": "linkerd-webhook"}, "spec": None, "status": []}], None, OURS)
    assert result is not None
    assert (result.mode, result.secret, result.wanted, result.ready) == ("files", "", 1, 0)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--release-line=a"], "a"),
        (["-release-line", "b"], "b"),
        (["--release-line=a", "--release-line=b"], "b"),
        (["--release-line"], ""),
        (["--release-lines=a"], ""),
    ],
)
def test_flags_are_read_in_each_form(arguments: list[str], value: str) -> None:
    assert flag(arguments, "release-line") == value
