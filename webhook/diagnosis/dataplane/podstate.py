"""The state of one Pod: whether it has Linkerd's proxy, whether it would get one now, and why not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from webhook.diagnosis.dataplane.callers import InjectorWebhook, ShutOut, shut_out
from webhook.diagnosis.dataplane.drift import Drift, drift
from webhook.diagnosis.dataplane.expectation import Expectation, expect, situation
from webhook.diagnosis.dataplane.workloads import Owner, Workload
from webhook.injector import decision
from webhook.injector.inject import Injector
from webhook.injector.names import CONTROL_PLANE
from webhook.injector.removal import is_marked, is_meshed
from webhook.kube.fields import mapping, mappings, text, texts
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace

# Why a Pod that would be injected now has no proxy. Other reasons are the injector's own (`injector.decision`), and
# those of a Pod that no injector is asked about.
BEFORE: Final = "created_before_annotation"
REMOVED: Final = "removed_later"
UNREACHABLE: Final = "webhook_unreachable"
SHUT_OUT: Final = "shut_out_by_selector"
MISSING: Final = "webhook_missing"

MIRROR: Final = "kubernetes.io/config.mirror"
_OTHERS: Final = frozenset(("istio-proxy", "istio-init"))


class Spared(StrEnum):
    """Why a Pod without the proxy, or with another one, is no finding."""

    FINISHED = "finished"
    """It has ended, also by eviction."""
    TERMINATING = "terminating"
    """It is being deleted."""
    MIRROR = "mirror"
    """The kubelet runs it from a file; no admission decides about it."""
    NOT_ASKED = "not_asked"
    """Nobody asked for a proxy."""
    DECLINED = "declined"
    """It, or its template, says `disabled`."""
    HOST_NETWORK = "host_network"
    """It is in the node's network."""
    OTHER_MESH = "other_mesh"
    """It has the proxy of another mesh, or of another control plane of Linkerd's."""
    CONTROL_PLANE = "control_plane"
    """It belongs to Linkerd's own Namespace."""


@dataclass(frozen=True, slots=True)
class PodState:
    """The state of one Pod.

    `meshed` is whether it has Linkerd's proxy, `would` whether it would get one if it were created now, `asked` whether
    somebody asks for that. `reason` is an identifier for why it is not meshed, or would not be; "" where it is and
    would be, and `message` is the same as a sentence about the Pod. `spared` is why none of that is a finding, None
    where it may be one. `drift` is what differs from the proxy that it would get, empty for a Pod that is spared or
    would not be injected.
    """

    meshed: bool
    would: bool
    asked: bool
    reason: str
    message: str
    spared: Spared | None
    drift: tuple[Drift, ...] = ()
    shut_out: ShutOut | None = None

    @property
    def is_unmeshed(self) -> bool:
        """Whether it should have the proxy, and would get it now."""
        return self.spared is None and not self.meshed and self.would

    @property
    def is_outdated(self) -> bool:
        """Whether its proxy is not the one that it would get now."""
        return self.spared is None and bool(self.drift)


class PodJudge:
    """Judges Pods by one mesh and the webhooks that inject."""

    def __init__(self, injector: Injector, webhooks: Sequence[InjectorWebhook] | None) -> None:
        """`webhooks` are those that inject (`callers.injector_webhooks`), None where they are not known: then every
        Pod counts as one that an injector is asked about."""
        self.injector = injector
        self.webhooks = webhooks

    def judge(
        self,
        pod: JSON,
        namespace: Namespace,
        owner: Owner,
        workload: Workload | None = None,
        *,
        annotated: datetime | None = None,
        limit_ranges: Sequence[JSON] = (),
    ) -> PodState:
        """The state of a Pod as the API server returns it. Never raises.

        `owner` is what it belongs to, `workload` the record of what it is made from (`Workloads.template_of`).
        `annotated` is when its Namespace got the annotation to inject (`annotated_at`), None where that is not known.
        """
        expected = expect(self.injector, pod, namespace, owner, workload)
        return self.state(pod, expected, namespace, owner, annotated=annotated, limit_ranges=limit_ranges)

    def state(
        self,
        pod: JSON,
        expected: Expectation,
        namespace: Namespace,
        owner: Owner,
        *,
        annotated: datetime | None = None,
        limit_ranges: Sequence[JSON] = (),
    ) -> PodState:
        """As `judge`, of a Pod of which it is known already what it would be."""
        meshed = is_meshed(pod)
        asked = expected.subject is not None and decision.asks(expected.subject, namespace.annotations)
        out, reason, message = self._reason(expected, namespace)
        would = not reason
        spared = _spared(pod, expected, namespace, self.injector.mesh.linkerd_namespace, meshed=meshed, asked=asked)
        differs: tuple[Drift, ...] = ()
        if meshed and expected.injected and spared is None:
            # Most Pods have not drifted: only for the others it is worked out why.
            differs = drift(pod, expected.after, None, limit_ranges)
            if differs:
                why = situation(self.injector, pod, expected, namespace, owner)
                differs = drift(pod, expected.after, why, limit_ranges)
        if not meshed and would:
            reason = missing_because(pod, expected, namespace, annotated)
            message = sentence(reason, namespace.name)
        if meshed and would:
            reason = message = ""
        return PodState(meshed, would, asked, reason, message, spared, differs, out)

    def _reason(self, expected: Expectation, namespace: Namespace) -> tuple[ShutOut | None, str, str]:
        """Why a Pod would not be injected if it were created now, "" where it would be."""
        if expected.refused is not None:
            return None, expected.refused.reason, expected.refused.message
        out = None
        if expected.subject is not None and self.webhooks is not None:
            out = shut_out(self.webhooks, namespace, expected.subject.pod_labels)
        if not expected.injected:
            told = _foremost(expected.decision.reasons)
            subject = expected.subject
            text_ = decision.explain(told, subject, namespace.annotations, namespace.name) if subject else told
            return out, told, text_
        if out is not None:
            return out, SHUT_OUT, out.text()
        if self.webhooks is not None and not self.webhooks:
            return None, MISSING, sentence(MISSING, namespace.name)
        return None, "", ""


def _foremost(reasons: Sequence[str]) -> str:
    """The reason to tell first: nobody is told of a host network who did not ask for a proxy."""
    first = next((reason for reason in reasons if reason in (decision.ENABLE_ABSENT, decision.DISABLE_PRESENT)), "")
    return first or next(iter(reasons), "")


def _spared(
    pod: JSON, expected: Expectation, namespace: Namespace, control_plane: str, *, meshed: bool, asked: bool
) -> Spared | None:
    reasons = expected.decision.reasons
    annotations = texts(mapping(pod, "metadata"), "annotations")
    for spared, holds in (
        (Spared.FINISHED, text(pod, "status", "phase") in ("Succeeded", "Failed")),
        (Spared.TERMINATING, bool(text(pod, "metadata", "deletionTimestamp"))),
        (Spared.MIRROR, MIRROR in annotations),
        (Spared.CONTROL_PLANE, namespace.name == control_plane),
        (Spared.DECLINED, decision.DISABLE_PRESENT in reasons),
        (Spared.NOT_ASKED, not asked),
        (Spared.HOST_NETWORK, decision.HOST_NETWORK in reasons),
        (Spared.OTHER_MESH, _is_of_other(pod, control_plane) if meshed else _has_other_mesh(pod)),
    ):
        if holds:
            return spared
    return None


def _is_of_other(pod: JSON, control_plane: str) -> bool:
    """Whether it has the proxy of a control plane in another Namespace."""
    return texts(mapping(pod, "metadata"), "labels").get(CONTROL_PLANE, control_plane) != control_plane


def _has_other_mesh(pod: JSON) -> bool:
    lists = (mappings(pod, "spec", key) for key in ("containers", "initContainers"))
    return any(text(container, "name") in _OTHERS for containers in lists for container in containers)


def missing_because(pod: JSON, expected: Expectation, namespace: Namespace, annotated: datetime | None) -> str:
    """Why a Pod that would be injected now has no proxy: `BEFORE`, `REMOVED` or `UNREACHABLE`."""
    if is_marked(pod):
        return REMOVED
    created = moment(text(pod, "metadata", "creationTimestamp"))
    by_namespace = namespace.annotations.get(decision.INJECT, "") in decision.ENABLING
    own = texts(mapping(pod, "metadata"), "annotations").get(decision.INJECT, "")
    template = expected.subject.pod_annotations.get(decision.INJECT, "") if expected.subject is not None else ""
    if not by_namespace and template in decision.ENABLING and own not in decision.ENABLING:
        # Its workload's template was annotated since.
        return BEFORE
    if by_namespace and own not in decision.ENABLING and created and annotated and created < annotated:
        return BEFORE
    return UNREACHABLE


def sentence(reason: str, namespace: str, *, several: bool = False) -> str:
    """A reason of this module as a sentence about a Pod of a Namespace, or about several."""
    return _SENTENCES[reason].format(namespace=namespace, was="they were" if several else "it was")


_SENTENCES: Final = {
    BEFORE: f"created before Namespace {{namespace}}, or the Pod template, got the annotation {decision.INJECT}",
    REMOVED: "injected once, as the labels tell, and something has removed the proxy since",
    UNREACHABLE: "no injector answered when {was} created",
    MISSING: "no MutatingWebhookConfiguration of an injector is in force",
    SHUT_OUT: "a selector keeps the injector away",
}


def annotated_at(namespace: JSON | None) -> datetime | None:
    """When a Namespace got the annotation to inject, at the latest: when whoever owns that annotation by the object's
    managedFields wrote last. `namespace` is as the API server returns it, None for none. None
    where that is not known."""
    result = None
    for entry in mappings(namespace, "metadata", "managedFields"):
        owned = mapping(entry, "fieldsV1", "f:metadata", "f:annotations")
        if f"f:{decision.INJECT}" in owned:
            at = moment(text(entry, "time"))
            result = max(filter(None, (result, at)), default=None)
    return result


def moment(stamp: str) -> datetime | None:
    """A time as the API server writes it, None for what is not one."""
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
