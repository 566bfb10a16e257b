"""Objects whose apiVersion and kind are almost those of one of Linkerd's kinds."""

from __future__ import annotations

import pytest

from webhook.policy.registry import KINDS
from webhook.policy.unknownkinds import check


@pytest.mark.parametrize(
    ("api_version", "kind", "field", "write"),
    [
        ("policy.linkerd.io/v1beta3", "Serverr", "kind", "write Server"),
        ("policy.linkerd.io/v1beta3", "server", "kind", "write Server"),
        ("policy.linkerd.io/v1alpha1", "AuthorisationPolicy", "kind", "write AuthorizationPolicy"),
        ("policy.linkerd.io/v1alpha1", "HttpRoute", "kind", "write HTTPRoute"),
        ("linkerd.io/v1alpha2", "serviceprofile", "kind", "write ServiceProfile"),
        ("linkerd.io/v1alpha2", "Elephant", "kind", "its kinds are ServiceProfile"),
        ("linkerd.io/v1alpha2", "Server", "apiVersion", "write apiVersion: policy.linkerd.io/v1beta3"),
        ("policy.linkerd.io/v1alpha2", "ServiceProfile", "apiVersion", "write apiVersion: linkerd.io/v1alpha2"),
        ("polcy.linkerd.io/v1beta3", "Server", "apiVersion", "write apiVersion: policy.linkerd.io/v1beta3"),
        ("policy.linkerd.com/v1", "Server", "apiVersion", "write apiVersion: policy.linkerd.io/v1beta3"),
        ("policy.linkerd.com/v1", "Servr", "apiVersion", "policy.linkerd.io/v1beta3 and kind: Server"),
        ("Policy.linkerd.io/v1beta3", "Server", "apiVersion", "write apiVersion: policy.linkerd.io/v1beta3"),
        ("policy.linkerd.io", "Server", "apiVersion", "write policy.linkerd.io/v1beta3"),
        ("multicluster.linkerd.io/v1alpha2", "link", "kind", "write Link"),
        ("gateway.networking.k8s.io/v1", "Httproute", "kind", "write HTTPRoute"),
    ],
)
def test_is_told_what_to_write(api_version: str, kind: str, field: str, write: str) -> None:
    finding = check(api_version, kind)
    assert finding is not None
    assert (finding.field, finding.rule.id) == (field, "kind-unknown")
    assert finding.message.endswith(write), finding.message


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        *((f"{kind.group}/{version}", kind.kind) for kind in KINDS for version in kind.versions),
        # The version is another rule's.
        ("policy.linkerd.io/v9", "Server"),
        ("v1", "Service"),
        ("v1", "Server"),
        ("apps/v1", "Deployment"),
        ("policy/v1", "PodDisruptionBudget"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("security.istio.io/v1", "AuthorizationPolicy"),
        ("networking.istio.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
        ("gateway.networking.k8s.io/v1alpha3", "BackendTLSPolicy"),
        ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"),
        ("policy.cert-manager.io/v1alpha1", "CertificateRequestPolicy"),
        ("cert-manager.io/v1", "Certificate"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("kyverno.io/v1", "Policy"),
        ("multicluster.linkerd.io/v1alpha3", "Link"),
        ("workload.linkerd.io/v1beta1", "ExternalWorkload"),
        # An extension may have kinds of its own.
        ("workload.linkerd.io/v1", "Elephant"),
        ("viz.linkerd.io/v1", "Dashboard"),
        ("", ""),
        ("x" * 5000, "Server"),
        ("policy.linkerd.io/v1", "S" * 5000),
    ],
)
def test_says_nothing_of_what_is_right_or_somebody_else_s(api_version: str, kind: str) -> None:
    assert check(api_version, kind) is None
