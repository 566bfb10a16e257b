"""Which release line Linkerd has in a cluster, before anything is installed there. Pure."""

from __future__ import annotations

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.unseen import known
from webhook.kube.fields import text
from webhook.mesh.configmaps import VALUES
from webhook.mesh.releases import Detected, TooOld, detect
from webhook.yaml import objects


def release_line(facts: ClusterFacts) -> Detected | None:
    """The release line that Linkerd's values name; None where they name none that is known, or cannot be read."""
    try:
        values = objects.read(text(known(facts.linkerd_config, None), "data", VALUES))
        detected = detect(values) if isinstance(values, dict) else None
    except (objects.Broken, TooOld):
        # The server checks the values when it starts, and says what is wrong.
        return None
    return detected if detected is not None and not detected.unknown else None
