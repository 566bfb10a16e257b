"""A cluster with an installation, as `install` and the leader leave it, for the tests of the lines."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather_installation import RIGHTS
from webhook.diagnosis.check.installation import BINDING, POLICY, Traces, read
from webhook.diagnosis.check.line import Line, Scope
from webhook.diagnosis.check.run import judge
from webhook.diagnosis.finding import CheckFinding
from webhook.diagnosis.unseen import Fact
from webhook.install.adoption import LINKERD_CONFIGURATIONS, PATHS, adopted
from webhook.install.configurations import NAME, RULES
from webhook.install.extensions import EXTENSIONS
from webhook.install.render import render
from webhook.install.settings import defaults, place
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import ConfigurationName, ServiceReference
from webhook.mesh.spared import ADMISSION

NAMESPACE = "linkerd"
SERVICE = ServiceReference(NAMESPACE, NAME)
AT = datetime(2026, 6, 1, tzinfo=UTC)
CA_BUNDLE = base64.b64encode(b"a CA").decode()

# What Linkerd's own configurations ask for, in every release line.
_LINKERDS_RULES = {
    "linkerd-proxy-injector-webhook-config": ("", ["v1"], ["CREATE"], ["pods", "services"]),
    "linkerd-sp-validator-webhook-config": (
        "linkerd.io",
        ["v1alpha1", "v1alpha2"],
        ["CREATE", "UPDATE"],
        ["serviceprofiles"],
    ),
    "linkerd-policy-validator-webhook-config": (
        "policy.linkerd.io",
        ["v1alpha1", "v1beta1"],
        ["CREATE", "UPDATE"],
        [
            "authorizationpolicies",
            "httproutes",
            "networkauthentications",
            "meshtlsauthentications",
            "serverauthorizations",
            "servers",
        ],
    ),
    **{extension.configuration[1]: ("", ["v1"], ["CREATE"], ["pods"]) for extension in EXTENSIONS},
}


def settings(**paths: Any) -> JSON:
    """Settings of `install`; in the names, two underscores stand for a dot."""
    values = defaults()
    place(values, "image.repository", "registry.example.org/linkerd-webhook")
    place(values, "image.tag", "0.1.0")
    for name, value in paths.items():
        place(values, name.replace("__", "."), value)
    return values


def linkerds(name: ConfigurationName, ca_bundle: str = CA_BUNDLE) -> JSON:
    """One of Linkerd's webhook configurations, as `linkerd install` prints it."""
    group, versions, operations, resources = _LINKERDS_RULES[name[1]]
    service = name[1].removesuffix("-webhook-config")
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": name[0],
        "metadata": {"name": name[1]},
        "webhooks": [
            {
                "name": f"{service}.linkerd.io",
                "clientConfig": {
                    "service": {"name": service, "namespace": NAMESPACE, "path": "/"},
                    "caBundle": ca_bundle,
                },
                "failurePolicy": "Ignore",
                "namespaceSelector": {
                    "matchExpressions": [
                        {"key": "config.linkerd.io/admission-webhooks", "operator": "NotIn", "values": ["disabled"]}
                    ]
                },
                "rules": [
                    {"apiGroups": [group], "apiVersions": versions, "operations": operations, "resources": resources}
                ],
            }
        ],
    }


class InstalledCluster:
    """The objects of an installation by kind and name; change them as it pleases, then ask for the `facts`."""

    def __init__(self, **paths: Any) -> None:
        values = settings(**paths)
        self.objects: dict[tuple[str, str], JSON] = {}
        for body in render(values, NAMESPACE).objects:
            self.objects[body["kind"], body["metadata"]["name"]] = copy.deepcopy(body)
        for (kind, _), body in self.objects.items():
            if kind.endswith("WebhookConfiguration"):
                for webhook in body["webhooks"]:
                    webhook["clientConfig"]["caBundle"] = CA_BUNDLE
                    # What the leader puts in.
                    webhook.setdefault("rules", [dict(rule) for rule in RULES[webhook["name"]]])
        for name in LINKERD_CONFIGURATIONS if values["adopt"] else ():
            self.objects[name] = adopted(linkerds(name), PATHS[name], SERVICE, CA_BUNDLE)

    @classmethod
    def image(cls, *containers: str, arguments: Iterable[str] = ()) -> InstalledCluster:
        """Our image in these containers of Linkerd's Deployments."""
        cluster = cls()
        cluster.objects = {name: linkerds(name) for name in LINKERD_CONFIGURATIONS}
        for name, container in (("linkerd-proxy-injector", "proxy-injector"), ("linkerd-destination", "sp-validator")):
            ours = container in (containers or ("proxy-injector", "sp-validator"))
            image = "registry.example.org:5000/linkerd-webhook:0.1.0" if ours else "cr.l5d.io/linkerd/controller:x"
            cluster.objects["Deployment", name] = {
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {
                    "replicas": 1,
                    "template": {
                        "spec": {
                            "containers": [
                                {"name": "linkerd-proxy", "image": "cr.l5d.io/linkerd/proxy:x"},
                                {"name": container, "image": image, "args": [container, *arguments]},
                            ]
                        }
                    },
                },
            }
        return cluster

    def __getitem__(self, name: tuple[str, str]) -> JSON:
        return self.objects[name]

    def __delitem__(self, name: tuple[str, str]) -> None:
        del self.objects[name]

    def webhooks(self, kind: str, name: str) -> list[JSON]:
        """The webhooks of a configuration."""
        return list(self.objects[kind, name]["webhooks"])

    def traces(self, **more: Fact[Any]) -> Traces:
        """What there is, as it is gathered; `more` in place of some of it."""

        def of(*kinds: str) -> dict[tuple[str, str], JSON]:
            return {name: body for name, body in self.objects.items() if name[0] in kinds}

        result: dict[str, Any] = {
            "configurations": of("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
            "deployments": tuple(of("Deployment").values()),
            "service": self.objects.get(("Service", NAME)),
            "cluster_role": self.objects.get(("ClusterRole", NAME)),
            "guards": of(POLICY, BINDING),
        }
        return Traces(namespace=NAMESPACE, **(result | more))

    def facts(self, **more: Any) -> ClusterFacts:
        """What is known of the cluster; `more` in place of some of it."""
        traces = self.traces()
        facts = ClusterFacts(
            at=AT,
            scope=Scope.INSTALLED,
            namespace=NAMESPACE,
            version={"major": "1", "minor": "36"},
            configurations=traces.configurations,
            installation=read(traces),
            rights={kind: self.objects.get((kind, NAME)) for kind in RIGHTS},
            guards=traces.guards,
            namespaces={
                "linkerd": Namespace("linkerd", {}, {ADMISSION: "disabled"}),
                "kube-system": Namespace("kube-system", {}, {}),
                "shop": Namespace("shop", {"linkerd.io/inject": "enabled"}, {}),
            },
        )
        return replace(facts, **more)


def said(line: Line, facts: ClusterFacts) -> list[CheckFinding]:
    """What a line says about facts; it must not be skipped."""
    report = judge([line], facts)
    assert not report.skipped, report.skipped
    return list(report.results[0].findings)


def skipped(line: Line, facts: ClusterFacts) -> str:
    """Why a line is skipped."""
    report = judge([line], facts)
    assert not report.results, report.results
    return report.skipped[0].reason
