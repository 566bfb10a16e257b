"""The volumes that the injected containers mount."""

from __future__ import annotations

from webhook.injector import names
from webhook.review import JSON

XTABLES_LOCK: JSON = {"emptyDir": {}, "name": names.XTABLES_LOCK}
IDENTITY: JSON = {"name": names.IDENTITY, "emptyDir": {"medium": "Memory"}}
POD_INFO: JSON = {
    "downwardAPI": {"items": [{"fieldRef": {"fieldPath": "metadata.labels"}, "path": "labels"}]},
    "name": names.POD_INFO,
}
# A day, for an audience of its own: no other service takes this token.
TOKEN: JSON = {
    "name": names.TOKEN,
    "projected": {
        "sources": [
            {
                "serviceAccountToken": {
                    "path": "linkerd-identity-token",
                    "expirationSeconds": 86400,
                    "audience": "identity.l5d.io",
                }
            }
        ]
    },
}


def build(*, cni: bool, traces: bool, token_projection: bool) -> list[JSON]:
    """The volumes, in the order in which the control plane adds them."""
    volumes = [] if cni else [XTABLES_LOCK]
    volumes.append(IDENTITY)
    if traces:
        volumes.append(POD_INFO)
    if token_projection:
        volumes.append(TOKEN)
    return volumes
