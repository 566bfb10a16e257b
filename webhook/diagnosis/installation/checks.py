"""Lines about a cluster before anything is installed there: what would conflict. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Line, Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.installation.facts import JSON, SetupFacts
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import NotSeen, seen
from webhook.install.adoption import ADOPTABLE, ADOPTED_FROM, LINKERD_CONFIGURATIONS
from webhook.install.configurations import NAME
from webhook.install.server_deployment import server_deployment
from webhook.kube.fields import mapping, text
from webhook.kube.objects import helm_release
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, ConfigurationName, cert_manager

_INSTALLING: Final = "https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/"
_HELM: Final = "https://helm.sh/docs/helm/helm_upgrade/"


@line(Section.SETUP, "pre-elsewhere", "there is no other installation in the cluster", hint=_INSTALLING)
def elsewhere(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether another Namespace has an installation: a cluster takes one only."""
    setup = seen(facts.setup)
    for deployment in _ours(setup):
        namespace = text(deployment, "metadata", "namespace")
        if namespace != setup.request.namespace:
            yield check.error(
                f"Deployment {namespace}/{NAME}",
                "",
                "exists already, and a cluster takes one installation only",
                f"pass --linkerd-namespace {namespace}, or remove it with linkerd-webhook uninstall "
                f"--linkerd-namespace {namespace}",
            )


def _ours(setup: SetupFacts) -> list[JSON]:
    return [workload for workload in seen(setup.deployments) if text(workload, "metadata", "name") == NAME]


def _here(setup: SetupFacts) -> list[JSON]:
    return [our for our in _ours(setup) if text(our, "metadata", "namespace") == setup.request.namespace]


@line(Section.SETUP, "certificate-mode", "replicas get their certificate as they did before", hint=_INSTALLING)
def certificate_mode(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """The error if the source of the certificate changes. A new replica becomes ready once the caBundles trust its
    certificate, but the leader, an old replica, writes caBundles for the old one: the rollout would never end."""
    setup = seen(facts.setup)
    request = setup.request
    now = server_deployment(_here(setup), None, request.service)
    files = bool(request.existing_secret)
    if now is None or (now.mode == "files") is files or (now.mode == "files" and not now.secret):
        return
    if files:
        secret = f"Secret {request.namespace}/{request.existing_secret}"
        change = f"issues its certificate itself, and would take it from {secret}"
    else:
        change = f"takes its certificate from Secret {request.namespace}/{now.secret}, and would issue it itself"
    yield check.error(
        now.where,
        "",
        f"{change}: old and new replicas cannot be ready side by side, and the rollout would never end",
        f"run kubectl -n {request.namespace} delete deploy {now.name} first, then install again; until new replicas "
        "are ready, the failurePolicy decides about Pods",
    )


@line(Section.SETUP, "helm-release", "Helm has no release of this installation", hint=_HELM)
def helm(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """A release of our name is found by Helm's own Secrets, one of another name by the Deployment."""
    setup = seen(facts.setup)
    namespace = setup.request.namespace
    where = f"Namespace {namespace}"
    releases = [helm_release(deployment) for deployment in _here(setup)]
    releases = [release for release in releases if release and release != NAME]
    for release in [*releases, NAME] if setup.helm_release is True else releases:
        yield check.note(
            where,
            "",
            f"Helm release {release} is here, and its next upgrade undoes what kubectl applies",
            f"run helm upgrade --namespace {namespace} {release} deploy/chart in place of it, or helm uninstall first",
        )
    if isinstance(setup.helm_release, NotSeen):
        fix = "; ".join(setup.helm_release.texts())
        yield check.note(where, "", f"whether Helm has a release {NAME} here is not known", fix)
    else:
        seen(setup.helm_release)


@line(
    Section.SETUP,
    "linkerd-webhooks-adopted",
    "Linkerd's webhook configurations are used as requested",
    hint="https://linkerd.io/2/features/proxy-injection/",
)
def adoption(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether Linkerd's webhook configurations can be adopted, or stay beside ours."""
    configurations = seen(facts.configurations)
    adopt = _request(facts).adopt
    # With --adopt, `extensions.py` looks at those of the extensions: they need not be there.
    names = LINKERD_CONFIGURATIONS if adopt else ADOPTABLE
    linkerds = {name: configurations[name] for name in names if name in configurations}
    yield from (_to_adopt if adopt else _beside_linkerds)(linkerds, check)


def _request(facts: ClusterFacts) -> InstallRequest:
    return seen(facts.setup).request


def _beside_linkerds(linkerds: Mapping[ConfigurationName, JSON], check: Check) -> Iterator[CheckFinding]:
    """Without --adopt: Linkerd's own configurations stay, so they must not point at our server."""
    adopted = [name for name, body in linkerds.items() if ADOPTED_FROM in mapping(body, "metadata", "annotations")]
    for kind, name in adopted:
        fix = "pass --adopt, or give them back first with linkerd-webhook uninstall --delete"
        yield check.error(f"{kind} {name}", "", "was adopted, and --adopt is not given", fix)
    for kind, name in () if adopted else linkerds:
        fix = "pass --adopt to point it here instead"
        yield check.note(f"{kind} {name}", "", "is Linkerd's own, and still calls Linkerd's webhook", fix)


def _to_adopt(linkerds: Mapping[ConfigurationName, JSON], check: Check) -> Iterator[CheckFinding]:
    """With --adopt: the errors if there is nothing to adopt, or if cert-manager writes a configuration."""
    if not linkerds:
        names = ", ".join(name for _, name in LINKERD_CONFIGURATIONS)
        message = f"none of Linkerd's webhook configurations exists ({names})"
        yield check.error("", "--adopt", message, "install without --adopt, or install Linkerd first")
    for (kind, name), body in linkerds.items():
        annotation = cert_manager(body)
        if annotation:
            yield check.error(
                f"{kind} {name}",
                f"metadata.annotations[{annotation}]",
                "cert-manager writes the caBundle, so it cannot be adopted",
                "remove the annotation, or install without --adopt",
            )


@line(
    Section.SETUP,
    "own-webhooks-beside-adopted",
    "there are no webhook configurations of our own beside adopted ones",
    hint="https://linkerd.io/2/features/proxy-injection/",
)
def own(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """With --adopt: what an installation without it left behind."""
    if not _request(facts).adopt:
        return
    configurations = seen(facts.configurations)
    result = [name for name in ((MUTATING, NAME), (VALIDATING, NAME)) if name in configurations]
    names = " ".join(f"{kind.lower()}/{name}" for kind, name in result)
    for kind, name in result:
        message = "is of an installation without --adopt, and stays"
        yield check.note(f"{kind} {name}", "", message, f"kubectl delete {names}, once Linkerd's are adopted")


# In the order in which they are reported.
LINES: Final[tuple[Line, ...]] = (elsewhere, certificate_mode, helm, adoption, own)
