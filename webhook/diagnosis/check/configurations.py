"""The lines about webhook configurations: whether the API server sends the server what it is installed for, and no
more than that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from webhook.diagnosis import fixes
from webhook.diagnosis.check.apply_again import apply_again
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import OWN_INJECTOR, Configurations, Installation, InstallMode
from webhook.diagnosis.check.installed import needed, printed
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.check.rules import covered, matches
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import known, seen
from webhook.install.adoption import ADOPTABLE, AGAIN, LINKERD_CONFIGURATIONS, PATHS, AdoptionStatus, status
from webhook.install.configurations import RULES
from webhook.install.extensions import EXTENSIONS, Extension, served
from webhook.kube.fields import mapping, mappings, text, texts
from webhook.kube.interface import JSON
from webhook.kube.labelselector import selects
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, ConfigurationName, ServiceReference, pointing
from webhook.mesh.spared import ADMISSION, NAMESPACE_NAME

LINKERDS_INJECTOR: Final = next(name for name, path in PATHS.items() if path == "/proxy-injector")

# What Linkerd's own configurations ask for in every release line: API group, operations and resources.
_LINKERDS_RULES: Final = {
    "linkerd-proxy-injector-webhook-config": ("", ["CREATE"], ["pods"]),
    "linkerd-sp-validator-webhook-config": ("linkerd.io", ["CREATE", "UPDATE"], ["serviceprofiles"]),
    "linkerd-policy-validator-webhook-config": (
        "policy.linkerd.io",
        ["CREATE", "UPDATE"],
        ["authorizationpolicies", "serverauthorizations", "servers"],
    ),
    **{extension.configuration[1]: ("", ["CREATE"], ["pods"]) for extension in EXTENSIONS},
}

_GOOD_PRACTICES: Final = "https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/"


@dataclass(frozen=True, slots=True)
class WantedWebhook:
    """A webhook of a configuration as it should be: where it points, and the rules that it has at least. `name` is ""
    for every webhook of the configuration: those of Linkerd's are named by Linkerd."""

    configuration: ConfigurationName
    name: str
    service: ServiceReference
    rules: tuple[JSON, ...]

    @property
    def where(self) -> str:
        """The configuration, as messages name it."""
        return " ".join(self.configuration)


def wanted(facts: ClusterFacts, installation: Installation) -> Iterator[WantedWebhook]:
    """The webhooks by which the API server calls the server."""
    for body in printed(facts, installation):
        kind = text(body, "kind")
        for webhook in mappings(body, "webhooks") if kind in (MUTATING, VALIDATING) else ():
            name = text(webhook, "name")
            at = (kind, text(body, "metadata", "name"))
            yield WantedWebhook(at, name, installation.service, RULES[name])
    there = known(facts.configurations, {})
    extensions = [extension.configuration for extension in served(installation.arguments)]
    for configuration in (*LINKERD_CONFIGURATIONS, *(name for name in extensions if name in there)):
        service = ServiceReference(installation.namespace, configuration[1].removesuffix("-webhook-config"))
        if installation.mode is InstallMode.ADOPTED:
            service = installation.service
        elif service not in installation.services:
            continue
        group, operations, resources = _LINKERDS_RULES[configuration[1]]
        rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": operations, "resources": resources}
        yield WantedWebhook(configuration, "", service, (rule,))


@line(
    Section.CONFIG,
    "configurations",
    "webhook configurations exist, point at the server, and are in force",
    hint="l5d-existence-mwc",
    awaited=True,
)
def configurations(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether all webhook configurations are there, point at the server, and have their rules."""
    installation = needed(facts)
    there = seen(facts.configurations)
    missing: set[ConfigurationName] = set()
    for webhook in wanted(facts, installation):
        body = there.get(webhook.configuration)
        if body is not None:
            yield from _judged(check, installation, webhook, body)
        elif webhook.configuration not in missing:
            missing.add(webhook.configuration)
            yield check.error(webhook.where, "", "does not exist", _fix_missing(installation, webhook))


def _fix_missing(installation: Installation, webhook: WantedWebhook) -> str:
    if webhook.name:
        return apply_again(installation)
    then = ", and the server adopts it" if installation.mode is InstallMode.ADOPTED else ""
    extension = _extension(webhook.configuration)
    if extension is not None:
        return f"have Linkerd {extension.name} write it again{then}: {fixes.extension_upgrade(extension.name)}"
    return f"have Linkerd write it again{then}: {fixes.LINKERD_UPGRADE}"


def _extension(name: ConfigurationName) -> Extension | None:
    return next((extension for extension in EXTENSIONS if extension.configuration == name), None)


def _judged(check: Check, installation: Installation, wanted: WantedWebhook, body: JSON) -> Iterator[CheckFinding]:
    """What is wrong with a webhook in the configuration that is there."""
    ours = [
        (index, element) for index, element in enumerate(_webhooks(body)) if wanted.name in ("", text(element, "name"))
    ]
    if not ours:
        what = f"has no webhook {wanted.name}" if wanted.name else "has no webhook"
        yield check.error(wanted.where, "webhooks", what, _fix_missing(installation, wanted))
    if not wanted.name and installation.mode is InstallMode.ADOPTED:
        adoption = status(body, wanted.service)
        if adoption is AdoptionStatus.FOREIGN:
            message = "is not adopted yet: its requests go to Linkerd's own Service"
            yield check.error(wanted.where, "", message, _leader(installation, "the leader adopts it"))
        if adoption is not AdoptionStatus.ADOPTED:
            # Line `adopted` tells the rest.
            return
    for index, webhook in ours:
        yield from _pointed(check, installation, wanted, webhook, index)
        yield from _ruled(check, installation, wanted, webhook, index)


def _pointed(
    check: Check, installation: Installation, wanted: WantedWebhook, webhook: JSON, index: int
) -> Iterator[CheckFinding]:
    client = mapping(webhook, "clientConfig")
    target = mapping(client, "service")
    if (text(target, "namespace"), text(target, "name")) == (wanted.service.namespace, wanted.service.name):
        return
    url = text(client, "url")
    other = f"Service {text(target, 'namespace')}/{text(target, 'name')}" if target else url or "nothing"
    message = f"points elsewhere, and has to point at Service {wanted.service.namespace}/{wanted.service.name}"
    fix = _fix_missing(installation, wanted)
    yield check.error(wanted.where, f"webhooks[{index}].clientConfig", message, fix, other)


def _ruled(
    check: Check, installation: Installation, wanted: WantedWebhook, webhook: JSON, index: int
) -> Iterator[CheckFinding]:
    field = f"webhooks[{index}].rules"
    rules = list(mappings(webhook, "rules"))
    if rules:
        lost = covered(wanted.rules, rules)
        if lost:
            message = f"do not match {'; '.join(lost)}, so the server is not asked about them"
            yield check.error(wanted.where, field, message, _fix_missing(installation, wanted))
    elif text(webhook, "failurePolicy") == "Fail" and wanted.name:
        message = "has no rules, so it is not in force yet: nothing is sent to the server"
        yield check.error(wanted.where, field, message, _leader(installation, "the leader puts the rules in"))
    else:
        message = "has no rules, so nothing matches: nothing is sent to the server"
        yield check.error(wanted.where, field, message, _fix_missing(installation, wanted))


def _leader(installation: Installation, does: str) -> str:
    logs = fixes.logs(installation.namespace, installation.service.name)
    return (
        f"{does} once the API server has reached the server; if it does not, see the line webhook-reached, and {logs}"
    )


@line(
    Section.CONFIG,
    "adopted",
    "adopted webhook configurations still point at the server",
    hint="l5d-existence-mwc",
)
def adopted(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether somebody wrote Linkerd's adopted configurations anew, such as an upgrade of Linkerd."""
    installation = needed(facts)
    if installation.mode is not InstallMode.ADOPTED:
        return
    there = seen(facts.configurations)
    within = f" --linkerd-namespace {installation.namespace}" if installation.namespace != "linkerd" else ""
    answered = served(installation.arguments)
    for name in ADOPTABLE:
        result = status(there[name], installation.service) if name in there else None
        where = " ".join(name)
        extension = _extension(name)
        if extension is not None and extension not in answered:
            yield from _not_answered(installation, check, extension, result)
            continue
        if result is AdoptionStatus.OVERWRITTEN:
            message = (
                "was adopted, and was changed to point elsewhere since, as an upgrade of Linkerd does: its requests do "
                "not come to the server"
            )
            yield check.error(where, "webhooks[].clientConfig", message, f"to adopt it again, run {AGAIN}{within}")
        if result is AdoptionStatus.CERT_MANAGER:
            message = "cert-manager writes its caBundle, so it is not adopted"
            fix = f"remove the annotations cert-manager.io/inject-…, then run {AGAIN}{within}"
            yield check.error(where, "metadata.annotations", message, fix)


def _not_answered(
    installation: Installation, check: Check, extension: Extension, result: AdoptionStatus | None
) -> Iterator[CheckFinding]:
    """Of an extension's configuration, where the server lacks the flag by which it answers for its injector."""
    # Where nobody may see the Deployment, nothing is known about its flags.
    if result is not AdoptionStatus.ADOPTED or not installation.arguments:
        return
    yield check.error(
        " ".join(extension.configuration),
        "webhooks[].clientConfig",
        f"is adopted, and the server has no flag --{extension.needs}: Pods get nothing of Linkerd {extension.name}",
        f"run {apply_again(installation)}: install reads the flag from the Deployment with container "
        f"{extension.container}; with Helm, add --{extension.needs}=… to extraArgs",
    )


@line(
    Section.CONFIG,
    "two-injectors",
    "no two proxy injectors are asked about the same Pods",
    hint=_GOOD_PRACTICES,
)
def two_injectors(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether Linkerd's own injector is asked about the Pods that ours is asked about, or our own configuration is
    there beside adopted ones."""
    installation = needed(facts)
    if installation.mode is InstallMode.IMAGE:
        return
    there = seen(facts.configurations)
    ours, other = OWN_INJECTOR, LINKERDS_INJECTOR
    if installation.mode is InstallMode.ADOPTED:
        ours, other = other, ours
    name = other[1]
    remove = f"kubectl delete {other[0].lower()} {name}"
    if not _asked_of_the_same(facts, there, ours, other):
        return
    if installation.mode is InstallMode.ADOPTED:
        message = f"is of an installation without --adopt, and is asked about the same Pods as {ours[1]}"
        yield check.warning(" ".join(other), "", message, f"run {remove}")
        return
    message = f"Linkerd's own injector is also asked about the Pods that {' '.join(ours)} matches"
    fix = f"install with --adopt to point it at this server, or remove it: {remove} (linkerd upgrade brings it back)"
    yield check.warning(" ".join(other), "", message, fix)


def _asked_of_the_same(
    facts: ClusterFacts, there: Configurations, ours: ConfigurationName, other: ConfigurationName
) -> bool:
    """Whether some Namespace's Pods go to webhooks of both configurations."""
    pairs = [
        (mapping(one, "namespaceSelector"), mapping(another, "namespaceSelector"))
        for one in mappings(there.get(ours), "webhooks")
        for another in mappings(there.get(other), "webhooks")
        if matches(one, "", "pods") and matches(another, "", "pods")
    ]
    namespaces = known(facts.namespaces, {})
    if not namespaces:
        return bool(pairs)
    return any(
        selects(one, labels) and selects(another, labels)
        for one, another in pairs
        for labels in ({NAMESPACE_NAME: name, **element.labels} for name, element in namespaces.items())
    )


@line(
    Section.CONFIG,
    "deadlock",
    "no webhook that refuses Pods without the server matches the server's own Namespace",
    hint=_GOOD_PRACTICES,
)
def deadlock(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a webhook with failurePolicy Fail matches a Namespace without whose Pods no replica starts."""
    installation = needed(facts)
    there = seen(facts.configurations)
    namespaces = seen(facts.namespaces)
    for name, body in there.items():
        refusing = {entry.index for service in installation.services for entry in pointing(body, service)}
        for index, webhook in enumerate(_webhooks(body)):
            if index not in refusing or text(webhook, "failurePolicy") != "Fail" or not matches(webhook, "", "pods"):
                continue
            for namespace in dict.fromkeys((installation.namespace, facts.namespace, "kube-system")):
                labels = {**(namespaces[namespace].labels if namespace in namespaces else {})}
                labels = {NAMESPACE_NAME: namespace, **labels}
                if selects(webhook.get("namespaceSelector"), labels) and _any_pod(installation, webhook):
                    yield _deadlocked(check, " ".join(name), index, namespace, own=namespace == installation.namespace)


def _webhooks(body: JSON) -> list[JSON]:
    """The webhooks of a configuration, at their indexes; an empty one for what cannot be read."""
    webhooks = body.get("webhooks")
    return [webhook if isinstance(webhook, dict) else {} for webhook in webhooks] if isinstance(webhooks, list) else []


def _any_pod(installation: Installation, webhook: JSON) -> bool:
    """Whether the objectSelector lets Pods of ours or of Linkerd's control plane through."""
    selector = webhook.get("objectSelector")
    labels = [
        {"linkerd.io/control-plane-component": "destination", "linkerd.io/control-plane-ns": installation.namespace}
    ]
    deployments = installation.deployments if isinstance(installation.deployments, tuple) else ()
    labels += [texts(deployment, "spec", "template", "metadata", "labels") for deployment in deployments]
    return any(selects(selector, label) for label in labels)


def _deadlocked(check: Check, where: str, index: int, namespace: str, *, own: bool) -> CheckFinding:
    what = (
        "the server's own Pods, and those of Linkerd's control plane, are refused while no replica runs, so none starts"
        if own
        else "its Pods are refused while no replica runs, and without them no replica may start"
    )
    return check.error(
        where,
        f"webhooks[{index}].failurePolicy",
        f"the namespaceSelector matches Namespace {namespace}: {what}",
        f"keep the webhook away: kubectl label namespace {namespace} {ADMISSION}=disabled",
        "Fail",
    )
