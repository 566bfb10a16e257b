"""Checks a cluster before anything is installed there: what is missing, and what would conflict. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.installation import prerequisites
from webhook.diagnosis.installation.facts import CONFIG_MAPS, JSON, LINKERD_CRDS, InstallationFacts
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import NotSeen
from webhook.install.adoption import ADOPTED_FROM, LINKERD_CONFIGURATIONS
from webhook.install.configurations import NAME
from webhook.install.server_deployment import server_deployment
from webhook.kube.objects import helm_release
from webhook.kube.webhookconfigurations import cert_manager

VERSION: Final = Check("kubernetes-version", "the API server knows every object of the installation")
CRDS: Final = Check("linkerd-crds", "Linkerd's CustomResourceDefinitions exist")
CONTROL_PLANE: Final = Check("linkerd-control-plane", "the ConfigMaps of Linkerd's control plane exist")
ALONE: Final = Check("one-installation", "there is no other installation in the cluster")
CERTIFICATE_MODE: Final = Check("certificate-mode", "replicas get their certificate as they did before")
HELM: Final = Check("helm-release", "Helm has no release of this installation")
ADOPTION: Final = Check("linkerd-webhooks-adopted", "Linkerd's webhook configurations are used as requested")
OWN: Final = Check("own-webhooks-beside-adopted", "there are no webhook configurations of our own beside adopted ones")


def check(request: InstallRequest, facts: InstallationFacts) -> list[CheckFinding]:
    """What prevents the installation from working (errors), and further information (notes)."""
    return [
        *_version(request, facts),
        *_crds(facts),
        *_control_plane(request, facts),
        *_other_installations(request, facts),
        *_certificate_mode(request, facts),
        *_helm(request, facts),
        *(_to_adopt(facts) if request.adopt else _beside_linkerds(facts)),
        *_own_configurations(facts),
        *prerequisites.check(request, facts),
    ]


def _version(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    matches = [re.match(r"\d+", str(facts.version.get(key, ""))) for key in ("major", "minor")]
    numbers = [int(match[0]) for match in matches if match]
    if len(numbers) < len(matches):
        reported = facts.version.get("gitVersion", "nothing")
        yield VERSION.note("API server", "", f"its version is not known, as it reports {reported}")
        return
    major, minor = numbers
    if (major, minor) < request.needs:
        needed = ".".join(map(str, request.needs))
        yield VERSION.error(
            "API server",
            "",
            f"is Kubernetes {major}.{minor}, and some of the objects need {needed}",
            f"add --kube-version {major}.{minor}, which leaves those out and lists them",
        )


def _crds(facts: InstallationFacts) -> Iterator[CheckFinding]:
    for name in LINKERD_CRDS:
        if name not in facts.crds:
            fix = "run linkerd install --crds | kubectl apply -f -"
            yield CRDS.error(f"CustomResourceDefinition {name}", "", "not found", fix)


def _control_plane(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    elsewhere = [namespace for namespace in facts.linkerd_namespaces if namespace != request.namespace]
    fix = (
        f"Linkerd is in namespace {', '.join(elsewhere)}: pass --linkerd-namespace {elsewhere[0]}"
        if elsewhere
        else "install Linkerd's control plane first: linkerd install | kubectl apply -f -"
    )
    for name in CONFIG_MAPS:
        if name not in facts.config_maps:
            yield CONTROL_PLANE.error(f"ConfigMap {request.namespace}/{name}", "", "not found", fix)


def _ours(facts: InstallationFacts) -> list[JSON]:
    return [deployment for deployment in facts.deployments if deployment["metadata"]["name"] == NAME]


def _here(request: InstallRequest, facts: InstallationFacts) -> list[JSON]:
    return [deployment for deployment in _ours(facts) if deployment["metadata"]["namespace"] == request.namespace]


def _other_installations(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    for deployment in _ours(facts):
        namespace = deployment["metadata"]["namespace"]
        if namespace != request.namespace:
            yield ALONE.error(
                f"Deployment {namespace}/{NAME}",
                "",
                "exists already, and a cluster takes one installation only",
                f"pass --linkerd-namespace {namespace}, or remove it with linkerd-webhook uninstall "
                f"--linkerd-namespace {namespace}",
            )


def _certificate_mode(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    """The error if the source of the certificate changes. A new replica becomes ready once the caBundles trust its
    certificate, but the leader, an old replica, writes caBundles for the old one: the rollout would never end."""
    now = server_deployment(_here(request, facts), None, request.service)
    files = bool(request.existing_secret)
    if now is None or (now.mode == "files") is files or (now.mode == "files" and not now.secret):
        return
    if files:
        secret = f"Secret {request.namespace}/{request.existing_secret}"
        change = f"issues its certificate itself, and would take it from {secret}"
    else:
        change = f"takes its certificate from Secret {request.namespace}/{now.secret}, and would issue it itself"
    yield CERTIFICATE_MODE.error(
        now.where,
        "",
        f"{change}: old and new replicas cannot be ready side by side, and the rollout would never end",
        f"run kubectl -n {request.namespace} delete deploy {now.name} first, then install again; until new replicas "
        "are ready, the failurePolicy decides about Pods",
    )


def _helm(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    """A release of our name is found by Helm's own Secrets, one of another name by the Deployment."""
    where = f"Namespace {request.namespace}"
    releases = [helm_release(deployment) for deployment in _here(request, facts)]
    releases = [release for release in releases if release and release != NAME]
    for release in [*releases, NAME] if facts.helm_release is True else releases:
        yield HELM.note(
            where,
            "",
            f"Helm release {release} is here, and its next upgrade undoes what kubectl applies",
            f"run helm upgrade --namespace {request.namespace} {release} deploy/chart in place of it, or helm "
            "uninstall first",
        )
    if isinstance(facts.helm_release, NotSeen):
        fix = "; ".join(facts.helm_release.texts())
        yield HELM.note(where, "", f"whether Helm has a release {NAME} here is not known", fix)


def _beside_linkerds(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Without --adopt: Linkerd's own configurations stay, so they must not point at our server."""
    adopted = [
        name
        for name, body in facts.linkerds_configurations.items()
        if ADOPTED_FROM in (body["metadata"].get("annotations") or {})
    ]
    for kind, name in adopted:
        fix = "pass --adopt, or give them back first with linkerd-webhook uninstall --delete"
        yield ADOPTION.error(f"{kind} {name}", "", "was adopted, and --adopt is not given", fix)
    for kind, name in () if adopted else facts.linkerds_configurations:
        fix = "pass --adopt to point it here instead"
        yield ADOPTION.note(f"{kind} {name}", "", "is Linkerd's own, and still calls Linkerd's webhook", fix)


def _to_adopt(facts: InstallationFacts) -> Iterator[CheckFinding]:
    """With --adopt: the errors if there is nothing to adopt, or if cert-manager writes a configuration."""
    if not facts.linkerds_configurations:
        names = ", ".join(name for _, name in LINKERD_CONFIGURATIONS)
        message = f"none of Linkerd's webhook configurations exists ({names})"
        yield ADOPTION.error("", "--adopt", message, "install without --adopt, or install Linkerd first")
    for (kind, name), body in facts.linkerds_configurations.items():
        annotation = cert_manager(body)
        if annotation:
            yield ADOPTION.error(
                f"{kind} {name}",
                f"metadata.annotations[{annotation}]",
                "cert-manager writes the caBundle, so it cannot be adopted",
                "remove the annotation, or install without --adopt",
            )


def _own_configurations(facts: InstallationFacts) -> Iterator[CheckFinding]:
    names = " ".join(f"{kind.lower()}/{name}" for kind, name in facts.own_configurations)
    for kind, name in facts.own_configurations:
        message = "is of an installation without --adopt, and stays"
        yield OWN.note(f"{kind} {name}", "", message, f"kubectl delete {names}, once Linkerd's are adopted")
