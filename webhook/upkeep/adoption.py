"""Linkerd's own webhook configurations, pointed at our Service, and given back. Pure: objects in, objects out.

What was there before is kept on the configuration itself, so that going back needs nothing of ours but the command.
"""

from __future__ import annotations

import copy
import json
from enum import Enum
from typing import Final

from webhook.install.linkerd import ADOPTED_FROM
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, Name, Service, cert_manager, pointing

AGAIN: Final = "linkerd-webhook install --adopt --again"

# Where we answer what comes through each of Linkerd's configurations.
PATHS: Final[dict[Name, str]] = {
    (MUTATING, "linkerd-proxy-injector-webhook-config"): "/proxy-injector",
    (VALIDATING, "linkerd-sp-validator-webhook-config"): "/sp-validator",
    (VALIDATING, "linkerd-policy-validator-webhook-config"): "/policy-validator",
}


class State(Enum):
    """How one of Linkerd's configurations stands to us."""

    FOREIGN = "not adopted"
    ADOPTED = "adopted"
    # It was adopted, and somebody has pointed it elsewhere since.
    OVERWRITTEN = "overwritten"
    # Its caBundle is cert-manager's to write: with ours in it, two would fight.
    CERT_MANAGER = "kept by cert-manager"


def state(configuration: JSON, service: Service) -> State:
    """How a configuration stands."""
    ours = {entry.index for entry in pointing(configuration, service)}
    webhooks = configuration.get("webhooks")
    if ours and isinstance(webhooks, list) and len(ours) == len(webhooks):
        return State.ADOPTED
    annotations = _annotations(configuration)
    if ADOPTED_FROM in annotations:
        return State.OVERWRITTEN
    if cert_manager(configuration):
        return State.CERT_MANAGER
    return State.FOREIGN


def adopted(configuration: JSON, path: str, service: Service, ca_bundle: str) -> JSON:
    """The configuration with each of its webhooks pointed at our Service, and all else as it is.

    `ca_bundle` is base64, as `caBundle` has it.
    """
    found = copy.deepcopy(configuration)
    before = {}
    for webhook in found.get("webhooks") or ():
        before[webhook["name"]] = webhook["clientConfig"]
        webhook["clientConfig"] = {
            "service": {"namespace": service.namespace, "name": service.name, "path": path, "port": 443},
            "caBundle": ca_bundle,
        }
    annotations = found["metadata"].setdefault("annotations", {})
    annotations[ADOPTED_FROM] = json.dumps(before, sort_keys=True, separators=(",", ":"))
    return found


def _annotations(configuration: JSON) -> JSON:
    found = configuration["metadata"].get("annotations")
    return found if isinstance(found, dict) else {}
