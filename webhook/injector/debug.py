"""The `linkerd-debug` container, which an annotation asks for."""

from __future__ import annotations

from webhook.injector.effective import Settings
from webhook.injector.mesh_facts import MeshFacts, need
from webhook.injector.names import DEBUG
from webhook.review import JSON

# Some environments want probes on every container.
_NEVER_FAILS: JSON = {"exec": {"command": ["true"]}}


def build(facts: MeshFacts, settings: Settings) -> JSON:
    """The container for these settings. Raises `Refusal` where the values have no image for it."""
    debug = need(facts.values.debug_container, "debugContainer")
    need(debug.image, "debugContainer.image")
    container: JSON = {
        "image": facts.image(settings.debug_image, settings.debug_version),
        "imagePullPolicy": settings.debug_pull_policy or facts.pull_policy or None,
        "name": DEBUG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if facts.line.has("field/debug.probes"):
        container["livenessProbe"] = _NEVER_FAILS
        container["readinessProbe"] = _NEVER_FAILS
    return container
