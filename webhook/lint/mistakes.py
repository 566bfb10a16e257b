"""The rules about mistakes in manifests that have nothing to do with Linkerd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from webhook.findings.finding import Finding, Rule, Severity, declare
from webhook.findings.templates import Template
from webhook.manifest import mistakes
from webhook.policy.schema.reading import TYPE

TAG: Final = declare(
    "manifest-tag",
    Severity.WARNING,
    "FieldValueNotSupported",
    "A value has a tag (`!vault`, `!Ref`) that YAML and Kubernetes do not know.",
)
UNSEEN: Final = declare(
    "manifest-unseen-character",
    Severity.WARNING,
    "FieldValueInvalid",
    "A key or a value begins or ends with a character that looks like a space or like nothing, and is text to YAML.",
)
NOT_RENDERED: Final = declare(
    "manifest-not-rendered",
    Severity.WARNING,
    "FieldValueInvalid",
    "A name, a label, an image or an annotation of Linkerd's has a placeholder that nothing has filled in.",
)
NO_CONTAINER: Final = declare(
    "manifest-no-container",
    Severity.WARNING,
    "FieldValueRequired",
    "A Pod template has no container, or one without a name or an image: Kubernetes refuses it.",
)

_RULES: Final[Mapping[mistakes.What, Rule]] = {
    "not-rendered": NOT_RENDERED,
    "no-container": NO_CONTAINER,
    "not-text": TYPE,
}


def find(body: Mapping[str, Any], template: Template | None, *, is_policy: bool) -> Iterator[Finding]:
    """The findings about an object; as `mistakes.find`."""
    for what, path, message in mistakes.find(body, template, is_policy=is_policy):
        yield _RULES[what].at(path, message)
