"""An API server in memory, as far as certificates need one: versions, conflicts, and its rules about Secrets."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from typing import Any

from webhook.kube.data import encode
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ROOT

WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Killed(Exception):
    """The process ends here: nobody catches this."""


class FakeApi:
    """Objects by path. `calls` are the methods and paths of all writes that were tried, in order.

    `fail` is asked before each call and may give an exception to raise; `lose` after each write that was done.
    """

    def __init__(self) -> None:
        self.objects: dict[str, JSON] = {}
        self.calls: list[tuple[str, str]] = []
        self.fail: Callable[[str, str], BaseException | None] = lambda method, path: None
        self.lose: Callable[[int], BaseException | None] = lambda number: None
        self.written: Callable[[], None] = lambda: None
        self._version = 0
        self._done = 0

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> JSON:
        """As `webhook.kube.errors.Api`."""
        if method in WRITES:
            self.calls.append((method, path))
        error = self.fail(method, path)
        if error is not None:
            raise error
        if method == "GET":
            return copy.deepcopy(self._get(path))
        answer = self._write(method, path, copy.deepcopy(body), (query or {}).get("fieldManager", "unknown"))
        self._done += 1
        self.written()
        error = self.lose(self._done)
        if error is not None:
            raise error
        return copy.deepcopy(answer)

    def put(self, path: str, body: JSON, manager: str = "kubectl") -> JSON:
        """Write by somebody else, whatever was there."""
        before = self.objects.get(path)
        return self._store(path, {**copy.deepcopy(body)}, before, manager)

    def remove(self, path: str) -> None:
        """Deleted by somebody else."""
        self.objects.pop(path, None)

    def _get(self, path: str) -> JSON:
        if path not in self.objects:
            raise ApiError(404, f"{path} not found")
        return self.objects[path]

    def _write(self, method: str, path: str, body: JSON | None, manager: str) -> JSON:
        if method == "POST":
            assert body is not None
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise ApiError(409, f"{path} already exists")
            _check(None, body)
            return self._store(path, body, None, manager)
        before = self._get(path)
        if method == "DELETE":
            wanted = (body or {}).get("preconditions", {}).get("resourceVersion")
            if wanted not in (None, before["metadata"]["resourceVersion"]):
                raise ApiError(409, f"{path} has changed")
            return self.objects.pop(path)
        assert method == "PUT"
        assert body is not None
        if body["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
            raise ApiError(409, f"{path} has changed")
        _check(before, body)
        return self._store(path, body, before, manager)

    def _store(self, path: str, body: JSON, before: JSON | None, manager: str) -> JSON:
        self._version += 1
        body.setdefault("metadata", {})["resourceVersion"] = str(self._version)
        if path.startswith(ROOT):
            body["metadata"]["managedFields"] = _owners(before, body, manager)
        self.objects[path] = body
        return body


def _check(before: JSON | None, body: JSON) -> None:
    if body.get("kind") != "Secret":
        return
    data = body.get("data") or {}
    for value in data.values():
        base64.b64decode(value, validate=True)
    if body["type"] == "kubernetes.io/tls" and not {"tls.crt", "tls.key"} <= set(data):
        raise ApiError(422, "data[tls.crt] and data[tls.key]: Required value")
    if before is not None and before["type"] != body["type"]:
        raise ApiError(422, "type: field is immutable")
    if before is not None and before.get("immutable") and before.get("data") != body.get("data"):
        raise ApiError(422, "data: field is immutable when `immutable` is set")


def _owners(before: JSON | None, body: JSON, manager: str) -> list[JSON]:
    """Who owns which caBundle."""
    owners: dict[str, set[str]] = {}
    for entry in (before or {}).get("metadata", {}).get("managedFields", ()):
        owners[entry["manager"]] = set(entry["fieldsV1"]["f:webhooks"])
    old = {each["name"]: each["clientConfig"].get("caBundle") for each in (before or {}).get("webhooks", ())}
    for webhook in body.get("webhooks", ()):
        key, now = f'k:{{"name":"{webhook["name"]}"}}', webhook["clientConfig"].get("caBundle")
        if now != old.get(webhook["name"]):
            for keys in owners.values():
                keys.discard(key)
            if now is not None:
                owners.setdefault(manager, set()).add(key)
    held: Any = {"f:clientConfig": {"f:caBundle": {}}}
    return [
        {"manager": who, "operation": "Update", "fieldsV1": {"f:webhooks": dict.fromkeys(sorted(keys), held)}}
        for who, keys in owners.items()
        if keys
    ]


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
