"""Which release line Linkerd has in a cluster, before anything is installed there. Pure."""

from __future__ import annotations

from webhook.diagnosis.installation.facts import InstallationFacts
from webhook.mesh.releases import Detected, TooOld, detect
from webhook.yaml import objects


def release_line(facts: InstallationFacts) -> Detected | None:
    """The release line that Linkerd's values name; None where they name none that is known, or cannot be read."""
    try:
        values = objects.read(facts.values) if isinstance(facts.values, str) else None
        detected = detect(values) if isinstance(values, dict) else None
    except (objects.Broken, TooOld):
        # The server checks the values when it starts, and says what is wrong.
        return None
    return detected if detected is not None and not detected.unknown else None
