"""The line about the guard: whether all of it is there that belongs together."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.diagnosis.check.apply_again import apply_again
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import BINDING, POLICY, InstallMode
from webhook.diagnosis.check.installed import needed, printed
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import seen
from webhook.install.guard import NAME
from webhook.kube.fields import text


@line(
    Section.CONFIG,
    "guard",
    "the guard against Pods without a proxy is complete",
    hint="https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/",
)
def guard(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether policy and bindings are all there, if any of them is: without any, the guard is off."""
    installation = needed(facts)
    if installation.mode is InstallMode.IMAGE:
        return
    there, fix = seen(facts.guards), apply_again(installation)
    for wanted in printed(facts, installation):
        kind, name = text(wanted, "kind"), text(wanted, "metadata", "name")
        if kind not in (POLICY, BINDING):
            continue
        body, where = there.get((kind, name)), f"{kind} {name}"
        effect = "Pods that come without a proxy are let in without a word"
        if body is None:
            of = "binding" if kind == POLICY else "policy"
            yield check.warning(where, "", f"does not exist, though its {of} does: {effect}", fix)
        elif kind == BINDING and text(body, "spec", "policyName") != NAME:
            message = f"is not {NAME}: {effect}"
            yield check.warning(where, "spec.policyName", message, fix, text(body, "spec", "policyName"))
