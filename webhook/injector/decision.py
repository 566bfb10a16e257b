"""Inject or not, and why: every reason, and where the annotation was found.

The reasons, their identifiers and their order are the reference's (`pkg/inject/report.go`): dashboards count them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import orjson

from webhook.injector.subject import Subject
from webhook.pod import PodSpec

INJECT = "linkerd.io/inject"
ENABLED = "enabled"
DISABLED = "disabled"
INGRESS = "ingress"
VALID = frozenset({"", ENABLED, DISABLED, INGRESS})
ENABLING = frozenset({ENABLED, INGRESS})

HOST_NETWORK = "host_network_enabled"
SIDECAR_EXISTS = "sidecar_already_exists"
UNSUPPORTED = "unsupported_resource"
ENABLE_ABSENT = "injection_enable_annotation_absent"
DISABLE_PRESENT = "injection_disable_annotation_present"
INVALID_AT_WORKLOAD = "invalid_inject_annotation_at_workload"
INVALID_AT_NAMESPACE = "invalid_inject_annotation_at_ns"
NO_TOKEN = "disabled_automount_service_account_token_account"  # noqa: S105 - the reference's identifier

SENTENCES = {
    HOST_NETWORK: "hostNetwork is enabled",
    SIDECAR_EXISTS: "pod has a sidecar injected already",
    UNSUPPORTED: "this resource kind is unsupported",
    ENABLE_ABSENT: f'neither the namespace nor the pod have the annotation "{INJECT}:{ENABLED}"',
    DISABLE_PRESENT: f'pod has the annotation "{INJECT}:{DISABLED}"',
    INVALID_AT_WORKLOAD: f'invalid value for annotation "{INJECT}" at workload',
    INVALID_AT_NAMESPACE: f'invalid value for annotation "{INJECT}" at namespace',
    NO_TOKEN: (
        'automountServiceAccountToken set to "false", with Values.identity.serviceAccountTokenProjection set to "false"'
    ),
}

_PROXY_IMAGES = ("cr.l5d.io/linkerd/proxy:", "gcr.io/istio-release/proxyv2:")
_PROXY_NAMES = frozenset({"linkerd-proxy", "istio-proxy"})
_INIT_IMAGES = ("cr.l5d.io/linkerd/proxy-init:", "gcr.io/istio-release/proxy_init:")
_INIT_NAMES = frozenset({"linkerd-init", "istio-init"})


class Decision(msgspec.Struct):
    """Whether to inject. `reasons` are identifiers, empty when it is injected; `annotation_at` is `workload`,
    `namespace` or empty, as the reference reports where the deciding annotation was found."""

    inject: bool
    reasons: list[str] = msgspec.field(default_factory=list)
    annotation_at: str = ""

    @property
    def sentence(self) -> str:
        """The reasons for people."""
        if self.inject:
            return f"the {'namespace' if self.annotation_at == 'namespace' else 'pod'} asks for it with {INJECT}"
        return ", ".join(SENTENCES[reason] for reason in self.reasons)


def decide(
    subject: Subject, namespace_annotations: Mapping[str, str], *, token_projection: bool, native_names: bool
) -> Decision:
    """Whether the Pod of a subject is injected.

    `token_projection` is the mesh's `identity.serviceAccountTokenProjection`; `native_names` tells whether proxies are
    also looked for among the init containers, as lines with native sidecars do.
    """
    spec = subject.spec
    if spec is None:
        return Decision(False, [UNSUPPORTED])
    reasons = []
    if spec.host_network:
        reasons.append(HOST_NETWORK)
    if has_sidecar(subject, native_names=native_names):
        reasons.append(SIDECAR_EXISTS)
    reason, found_at = by_annotation(subject.pod_annotations.get(INJECT, ""), namespace_annotations.get(INJECT, ""))
    if reason:
        reasons.append(reason)
    if not token_projection and not _has_token(subject, spec):
        reasons.append(NO_TOKEN)
    return Decision(not reasons, reasons, found_at)


def rules(
    subject: Subject, namespace_annotations: Mapping[str, str], *, token_projection: bool, native_names: bool
) -> list[tuple[str, bool]]:
    """Each reason in the order in which `decide` asks for it, and whether its condition is true for the Pod.

    Arguments are those of `decide`. More conditions may be true than there are reasons: of those about the annotation,
    `decide` takes the first.
    """
    spec = subject.spec
    if spec is None:
        return [(UNSUPPORTED, True)]
    pod, namespace = subject.pod_annotations.get(INJECT, ""), namespace_annotations.get(INJECT, "")
    return [
        (HOST_NETWORK, bool(spec.host_network)),
        (SIDECAR_EXISTS, has_sidecar(subject, native_names=native_names)),
        (INVALID_AT_NAMESPACE, namespace not in VALID),
        (INVALID_AT_WORKLOAD, pod not in VALID),
        (ENABLE_ABSENT, namespace not in ENABLING and pod not in ENABLING),
        (DISABLE_PRESENT, pod == DISABLED),
        (NO_TOKEN, not token_projection and not _has_token(subject, spec)),
    ]


def by_annotation(pod: str, namespace: str) -> tuple[str, str]:
    """The reason against injection ("" for none), and where the deciding annotation is. `pod` and `namespace` are the
    values of `linkerd.io/inject` at a Pod and at its Namespace, "" for none."""
    if namespace not in VALID:
        return INVALID_AT_NAMESPACE, ""
    if pod not in VALID:
        return INVALID_AT_WORKLOAD, ""
    if namespace in ENABLING:
        return (DISABLE_PRESENT, "workload") if pod == DISABLED else ("", "namespace")
    return ("", "workload") if pod in ENABLING else (ENABLE_ABSENT, "")


def has_sidecar(subject: Subject, *, native_names: bool) -> bool:
    """Whether a proxy of Linkerd's or Istio's is there already: by container name or by image."""
    for container in subject.containers:
        if container.name in _PROXY_NAMES or (container.image or "").startswith(_PROXY_IMAGES):
            return True
    for container in subject.init_containers:
        name, image = container.name, container.image or ""
        if name in _INIT_NAMES or image.startswith(_INIT_IMAGES):
            return True
        if native_names and (name in _PROXY_NAMES or image.startswith(_PROXY_IMAGES)):
            return True
    return False


def _has_token(subject: Subject, spec: PodSpec) -> bool:
    return spec.automount_service_account_token is not False and subject.service_account_mount is not None


def asks(subject: Subject, namespace_annotations: Mapping[str, str]) -> bool:
    """Whether somebody wanted this Pod injected: by its own annotation, or its Namespace's that it does not decline.

    An annotation with a value that means nothing counts: whoever wrote it wanted something.
    """
    pod = subject.pod_annotations.get(INJECT, "")
    if pod:
        return pod != DISABLED
    return namespace_annotations.get(INJECT, "") not in ("", DISABLED)


def place(subject: Subject) -> str:
    """Where to write what concerns a Pod: in its template, where something else creates it."""
    return "the Pod" if subject.is_pod and not subject.owners else "the Pod template"


def explain(reason: str, subject: Subject, namespace_annotations: Mapping[str, str], namespace: str) -> str:
    """Why a Pod is not injected, for those who run `kubectl`: the value, where it stands, what to write instead."""
    at = place(subject)
    if reason == INVALID_AT_NAMESPACE:
        value = namespace_annotations.get(INJECT, "")
        return f"Namespace {namespace} has {INJECT}: {_quoted(value)}; {want(value)}"
    if reason == INVALID_AT_WORKLOAD:
        value = subject.pod_annotations.get(INJECT, "")
        return f"{at} has {INJECT}: {_quoted(value)}; {want(value)}"
    if reason == ENABLE_ABSENT:
        where = f"Namespace {namespace}" if namespace else "its Namespace"
        return f"neither {at} nor {where} has {INJECT}: enabled; write it on one of them to mesh the Pod"
    if reason == DISABLE_PRESENT:
        return f"{at} has {INJECT}: disabled; remove it to mesh the Pod"
    return f"{at} {_EXPLAINED[reason]}" if reason in _EXPLAINED else SENTENCES[reason]


_EXPLAINED = {
    HOST_NETWORK: (
        "has hostNetwork: true, and a proxy there would redirect the traffic of the whole node; "
        f"remove hostNetwork, or write {INJECT}: disabled"
    ),
    SIDECAR_EXISTS: (
        "has a proxy of Linkerd's or Istio's already (by the name or the image of a container); "
        f"remove that container, or write {INJECT}: disabled"
    ),
    NO_TOKEN: (
        "has no service account token, which the proxy needs; remove automountServiceAccountToken: false, or set "
        "identity.serviceAccountTokenProjection to true in Linkerd's values"
    ),
}

# What people write in place of the values that there are.
_MEANT = {
    **dict.fromkeys(("true", "yes", "on", "1", "enable", "injected"), ENABLED),
    **dict.fromkeys(("false", "no", "off", "0", "disable"), DISABLED),
}


def want(value: str) -> str:
    """What to write in place of a value of linkerd.io/inject that means nothing."""
    text = value.strip().lower()
    meant = text if text in VALID else _MEANT.get(text, "")
    return f"write {ENABLED}, {DISABLED} or {INGRESS}" + (f" (did you mean {meant}?)" if meant else "")


def _quoted(value: str) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f'{text[: _SHOWN - 2]}…"'


_SHOWN = 60
