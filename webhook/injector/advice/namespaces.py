"""What the Namespace around a Pod keeps it from: being asked about at all, or being let in once it is injected."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Finding
from webhook.injector.advice import rules
from webhook.injector.advice.facts import Facts
from webhook.injector.init import NEEDED
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.mesh.spared import ADMISSION, NAMESPACE_NAME, SPARED

# https://kubernetes.io/docs/concepts/security/pod-security-admission/
ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_REFUSING: Final = ("baseline", "restricted")


def check(facts: Facts) -> list[Finding]:
    """What is in the way of a Pod that is to be injected, in a Namespace that is known."""
    if facts.namespace is None or not (facts.namespace.labels or facts.namespace.name in SPARED):
        return []
    if sentence := left_out(facts.mesh, facts.namespace):
        return [rules.LEFT_OUT.at((), sentence)]
    if sentence := refuses(facts.mesh, facts.namespace):
        return [rules.POD_SECURITY.at((), sentence)]
    return []


def left_out(mesh: Mesh, namespace: Namespace) -> str:
    """Why the injector is never asked about a Namespace's Pods, and what to do; empty where it is asked.

    Only what both Linkerd's webhook configuration, as its values have it, and ours leave out.
    """
    names, label = _left_out_by_values(mesh)
    if label and namespace.labels.get(ADMISSION) == "disabled":
        return (
            f"{_named(namespace)} has the label {ADMISSION}: disabled, so no Pod in it is injected: remove the "
            "label, or linkerd.io/inject"
        )
    if namespace.name in names:
        return (
            f"Linkerd's webhook leaves Namespace {namespace.name} out, so no Pod in it is injected: run the workload "
            "in another Namespace, or remove linkerd.io/inject"
        )
    return ""


def _named(namespace: Namespace) -> str:
    return f"Namespace {namespace.name}" if namespace.name else "the Namespace"


def _left_out_by_values(mesh: Mesh) -> tuple[frozenset[str], bool]:
    """The names that are left out, and whether Linkerd's label for that counts. Values without a selector stand for
    those of `linkerd install`."""
    webhook = mesh.values.proxy_injector
    selector = webhook.namespace_selector if webhook is not None else None
    if selector is None or selector.match_expressions is None:
        return _BY_DEFAULT, True
    names: frozenset[str] = frozenset()
    label = False
    for requirement in selector.match_expressions:
        values = requirement.values or []
        if requirement.key == NAMESPACE_NAME and requirement.operator == "NotIn":
            names |= frozenset(values)
        elif requirement.key == ADMISSION:
            label = label or (requirement.operator == "NotIn") == ("disabled" in values)
    return names & frozenset(SPARED), label


_BY_DEFAULT: Final = frozenset(("kube-system", "cert-manager"))


def refuses(mesh: Mesh, namespace: Namespace) -> str:
    """Why Pod Security Admission refuses the injected Pods of a Namespace, and what to do; empty where it does not."""
    level = namespace.labels.get(ENFORCE)
    if level not in _REFUSING or mesh.values.cni_enabled:
        return ""
    return (
        f"{ENFORCE}: {level} on {_named(namespace)} refuses linkerd-init ({', '.join(NEEDED)}), so no injected "
        "Pod starts: write privileged, or use Linkerd's CNI plugin (cniEnabled: true)"
    )
