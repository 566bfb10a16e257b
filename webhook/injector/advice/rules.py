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
    "A request of the proxy is above its limit: the API server refuses such Pods, so the annotation is left out.",
)
OWNER_UNKNOWN: Final = declare(
    "inject-owner-unknown",
    Severity.WARNING,
    "FieldValueNotFound",
    "The server could not find out in time which workload a Pod belongs to.",
)
