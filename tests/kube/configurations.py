"""Webhook configurations: one to write, and what the API server notes about who wrote it."""

from __future__ import annotations

import copy
from typing import Any

from webhook.kube.base64_fields import encode
from webhook.kube.interface import JSON


def configuration(kind: str, name: str, bundle: bytes = b"", webhooks: int = 1, **annotations: str) -> JSON:
    """A webhook configuration that points at the Service linkerd/linkerd-webhook."""
    client: JSON = {"service": {"namespace": "linkerd", "name": "linkerd-webhook", "path": "/x", "port": 443}}
    if bundle:
        client["caBundle"] = encode(bundle)
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": annotations},
        "webhooks": [
            {"name": f"w{index}.{name}.io", "clientConfig": copy.deepcopy(client)} for index in range(webhooks)
        ],
    }


def owners(before: JSON | None, body: JSON, manager: str) -> list[JSON]:
    """Who owns which caBundle, after somebody wrote a webhook configuration."""
    held_by: dict[str, set[str]] = {}
    for entry in (before or {}).get("metadata", {}).get("managedFields", ()):
        held_by[entry["manager"]] = set(entry["fieldsV1"]["f:webhooks"])
    old = {webhook["name"]: webhook["clientConfig"].get("caBundle") for webhook in (before or {}).get("webhooks", ())}
    for webhook in body.get("webhooks", ()):
        key, now = f'k:{{"name":"{webhook["name"]}"}}', webhook["clientConfig"].get("caBundle")
        if now != old.get(webhook["name"]):
            for keys in held_by.values():
                keys.discard(key)
            if now is not None:
                held_by.setdefault(manager, set()).add(key)
    held: Any = {"f:clientConfig": {"f:caBundle": {}}}
    return [
        {"manager": who, "operation": "Update", "fieldsV1": {"f:webhooks": dict.fromkeys(sorted(keys), held)}}
        for who, keys in held_by.items()
        if keys
    ]
