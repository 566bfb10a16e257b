"""The rules about annotations that the injector reads."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Severity, declare

_INVALID: Final = "FieldValueInvalid"
_NOT_SUPPORTED: Final = "FieldValueNotSupported"
_FORBIDDEN: Final = "FieldValueForbidden"

NOT_TEXT: Final = declare(
    "inject-annotation-not-text", Severity.ERROR, "FieldValueTypeInvalid", "The value of an annotation is not a string."
)
REFUSED: Final = declare(
    "inject-pod-refused", Severity.ERROR, _INVALID, "With this annotation the injector refuses every Pod."
)
UNSURE: Final = declare(
    "inject-pod-maybe-refused",
    Severity.WARNING,
    _INVALID,
    "With this annotation the injector refuses every Pod, unless the mesh's values allow it.",
)
VALUE: Final = declare(
    "inject-value",
    Severity.WARNING,
    _NOT_SUPPORTED,
    "linkerd.io/inject has a value other than enabled, disabled and ingress, so Linkerd injects nothing.",
)
SETTING: Final = declare(
    "inject-setting",
    Severity.WARNING,
    _INVALID,
    "Linkerd cannot read the value of an annotation and ignores it, or the value is probably a mistake.",
)
UNKNOWN: Final = declare(
    "inject-unknown-annotation",
    Severity.WARNING,
    _NOT_SUPPORTED,
    "Linkerd does not read an annotation that looks like one of its own.",
)
NOT_INHERITED: Final = declare(
    "inject-not-inherited",
    Severity.WARNING,
    _FORBIDDEN,
    "A Namespace has an annotation that its Pods do not inherit.",
)
MISPLACED: Final = declare(
    "inject-misplaced",
    Severity.WARNING,
    _FORBIDDEN,
    "An annotation stands where the injector does not look for it, or is written as a label.",
)
SKIPPED: Final = declare(
    "inject-skipped", Severity.WARNING, _INVALID, "A Pod asks for injection, and Linkerd cannot inject it as it is."
)
OVER_LIMIT: Final = declare(
    "inject-request-over-limit",
    Severity.WARNING,
    _INVALID,
    "A request of the proxy is above its limit: Linkerd makes such a Pod, and the API server refuses it.",
)
NO_START: Final = declare(
    "inject-no-start",
    Severity.WARNING,
    _INVALID,
    "With the value of an annotation linkerd-init or the proxy fails at its start, so that the Pod does not start.",
)
NOT_SKIPPED: Final = declare(
    "inject-port-not-skipped",
    Severity.WARNING,
    _INVALID,
    "A list of ports to skip has an entry that linkerd-init cannot read, so it does not skip that port.",
)
PROXY_UID: Final = declare(
    "inject-proxy-uid",
    Severity.WARNING,
    _INVALID,
    "A container runs as the proxy's user or group, so its traffic leaves without the mesh, in plain text.",
)
PORT_TAKEN: Final = declare(
    "inject-port-taken",
    Severity.WARNING,
    "FieldValueDuplicate",
    "A container has a port on which the proxy listens.",
)
TCP_PROBE: Final = declare(
    "inject-tcp-probe",
    Severity.WARNING,
    _INVALID,
    "A probe only opens a TCP connection, which the proxy accepts whatever the container does.",
)
WINDOWS: Final = declare(
    "inject-windows",
    Severity.WARNING,
    _NOT_SUPPORTED,
    "A Pod for Windows is injected, and the proxy runs on Linux only.",
)
NEVER_ENDS: Final = declare(
    "inject-job-never-ends",
    Severity.WARNING,
    _INVALID,
    "A Job is injected with a proxy that nobody ends, so the Job never completes.",
)
INIT_NETWORK: Final = declare(
    "inject-init-network",
    Severity.WARNING,
    _INVALID,
    "With the CNI plugin, an init container needs the network before the proxy is there.",
)
POD_SECURITY: Final = declare(
    "inject-pod-security",
    Severity.WARNING,
    _FORBIDDEN,
    "The Namespace's PodSecurity level refuses linkerd-init, and so every injected Pod.",
)
LEFT_OUT: Final = declare(
    "inject-namespace-left-out",
    Severity.WARNING,
    _FORBIDDEN,
    "Injection is asked for in a Namespace that Linkerd's webhook leaves out.",
)
OWNER_UNKNOWN: Final = declare(
    "inject-owner-unknown",
    Severity.WARNING,
    "FieldValueNotFound",
    "The server could not find out in time which workload a Pod belongs to.",
)
