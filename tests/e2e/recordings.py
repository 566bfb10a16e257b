"""Recorded cases of the reference, made real: its Namespace, owners and Pod created for a new Namespace's name."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.api import JSON, ApiServer, Reply
from tests.e2e.objects import container, unique

INJECTED = ("linkerd-proxy", "linkerd-init", "linkerd-debug", "linkerd-network-validator")
COMPARED = ("image", "command", "args", "env", "securityContext", "restartPolicy")

# It names the program.
IGNORED_ANNOTATION = "linkerd.io/created-by"

MAX_NAME = 63


def load(path: Path, values: str) -> list[JSON]:
    """The cases that were recorded with these values."""
    with gzip.open(path, "rt") as lines:
        return [case for case in map(json.loads, lines) if case["values"] == values]


def moved(case: JSON) -> JSON:
    """The case in a Namespace whose name is nobody else's: recorded ones share names, with other annotations."""
    name = case["namespace"]["metadata"]["name"]
    pattern = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    return dict(json.loads(re.sub(pattern, unique("recorded"), json.dumps(case))))


def create(api: ApiServer, case: JSON) -> Reply:
    """Create the Namespace and owners, and the object that was reviewed; the reply to that one."""
    api.create(case["namespace"]).ok()
    uids: dict[tuple[str, str], str] = {}
    for owner in sorted(case["owners"], key=lambda body: "ownerReferences" in body["metadata"]):
        created = api.create(_owned(owner, uids)).ok()
        uids[owner["kind"], owner["metadata"]["name"]] = created["metadata"]["uid"]
    request = case["review"]["request"]
    body = _owned(request["object"], uids)
    body["metadata"]["namespace"] = request["namespace"]
    return api.create(body)


def _owned(body: JSON, uids: dict[tuple[str, str], str]) -> JSON:
    """The object with the uids that its owners have here."""
    body = json.loads(json.dumps(body))
    for owner in body["metadata"].get("ownerReferences") or ():
        owner["uid"] = uids.get((owner["kind"], owner["name"]), owner["uid"])
    return body


def differences(case: JSON, reply: Reply) -> Iterator[str]:
    """In what the stored object differs from the recorded one, the API server's own defaults aside."""
    expected = case["expected"]
    if not expected["allowed"]:
        if reply.status < 400:
            yield "created, want refused"
        return
    if reply.status >= 400:
        yield f"HTTP {reply.status}: {reply.message}"
        return
    want = expected.get("object") or case["review"]["request"]["object"]
    before, after = projection(want), projection(reply.body)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key}: {json.dumps(after.get(key))}, want {json.dumps(before.get(key))}"


def projection(body: JSON) -> dict[str, Any]:
    """What injection decides about an object: comparable, without what the API server fills in."""
    metadata = body["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != IGNORED_ANNOTATION}
    result: dict[str, Any] = {"labels": metadata.get("labels") or {}, "annotations": annotations}
    if body["kind"] != "Pod":
        return result
    spec = body["spec"]
    for part in ("containers", "initContainers"):
        result[part] = [named["name"] for named in spec.get(part) or ()]
    result["volumes"] = [volume["name"] for volume in spec.get("volumes") or () if "linkerd" in volume["name"]]
    for name in INJECTED:
        injected = container(body, name)
        if injected is not None:
            result |= {f"{name}.{key}": _plain(injected.get(key)) for key in COMPARED}
    return result


def _plain(value: Any) -> Any:
    """Without nulls and empty maps, which the API server drops, and without the defaults of environment variables."""
    if isinstance(value, dict):
        plain = {key: _plain(element) for key, element in value.items()}
        if "fieldPath" in plain:
            plain.pop("apiVersion", None)
        if plain.get("divisor") == "0":
            del plain["divisor"]
        return {key: element for key, element in plain.items() if element not in (None, {}, "")} or None
    if isinstance(value, list):
        return [_plain(element) for element in value] or None
    return value
