"""The API server over plain REST: what the tests create, and what came back with it, warnings included."""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml

JSON = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

FIELD_MANAGER = "webhook-e2e"

_WARNING = re.compile(r'^299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of the API server: its status, body, and the warnings that kubectl would print."""

    status: int
    body: JSON
    warnings: list[str]

    @property
    def message(self) -> str:
        """What the API server says about a refusal."""
        return str(self.body.get("message", ""))

    def ok(self) -> JSON:
        """The object. Raises `AssertionError` with the API server's message where there is none."""
        assert self.status < 400, f"HTTP {self.status}: {self.message}"
        return self.body


@dataclass(frozen=True, slots=True)
class Resource:
    """Where objects of a kind live."""

    root: str
    plural: str
    namespaced: bool

    def path(self, namespace: str) -> str:
        """The collection's path."""
        return f"{self.root}/namespaces/{namespace}/{self.plural}" if self.namespaced else f"{self.root}/{self.plural}"


class ApiServer:
    """A user's view of the API server. Safe to use from many threads."""

    def __init__(self, host: str, ca: str, token: str) -> None:
        self.host = host
        self._ca = ca
        self._client = httpx.Client(
            base_url=host,
            verify=ssl.create_default_context(cadata=ca),
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
        )
        self.resource = cache(self._discover)

    @classmethod
    def from_kubeconfig(cls, path: Path) -> ApiServer:
        """The current context's cluster and bearer token."""
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return cls(cluster["server"], ca, _named(config["users"], context["user"])["user"]["token"])

    def as_user(self, token: str) -> ApiServer:
        """The same API server, as whom the token says."""
        return ApiServer(self.host, self._ca, token)

    def kubeconfig(self, token: str) -> str:
        """A kubeconfig of this cluster with a bearer token."""
        ca = base64.b64encode(self._ca.encode()).decode()
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "e2e", "cluster": {"server": self.host, "certificate-authority-data": ca}}],
                "users": [{"name": "e2e", "user": {"token": token}}],
                "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
                "current-context": "e2e",
            }
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        """One request, whatever becomes of it."""
        answer = self._client.request(
            method,
            path,
            content=None if body is None else json.dumps(body),
            params=query,
            headers={"Content-Type": content_type, "Accept": "application/json"},
        )
        try:
            result = answer.json()
        except ValueError:
            result = {"message": answer.text}
        return Reply(answer.status_code, result, [_warning(text) for text in answer.headers.get_list("warning")])

    def create(self, body: JSON, *, dry_run: bool = False) -> Reply:
        """POST an object; `dry_run` is what `kubectl create --dry-run=server` asks for."""
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        return self.request("POST", self._collection(body), body, query)

    def apply(self, body: JSON) -> JSON:
        """Server-side apply, taking over fields from whoever had them."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self.request("PATCH", self.path(body), body, query, APPLY).ok()

    def patch(self, body: JSON, change: JSON) -> JSON:
        """Merge a change into an object that exists."""
        return self.request("PATCH", self.path(body), change, content_type=MERGE).ok()

    def delete(self, body: JSON) -> Reply:
        """Delete an object, if it is there."""
        return self.request("DELETE", self.path(body))

    def events(self, namespace: str, about: str) -> list[JSON]:
        """The Events about the object of this name."""
        query = {"fieldSelector": f"involvedObject.name={about}"}
        return list(self.request("GET", f"/api/v1/namespaces/{namespace}/events", query=query).ok()["items"])

    def alive(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self.request("GET", "/readyz").status == 200
        except httpx.TransportError:
            return False

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server knows the kind."""
        return self.resource(api_version, kind) is not None

    def _discover(self, api_version: str, kind: str) -> Resource | None:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        reply = self.request("GET", root)
        if reply.status == 404:
            return None
        for body in reply.ok()["resources"]:
            if body["kind"] == kind and "/" not in body["name"]:
                return Resource(root, body["name"], body["namespaced"])
        return None

    def _collection(self, body: JSON) -> str:
        resource = self.resource(body["apiVersion"], body["kind"])
        assert resource is not None, f"the API server does not know {body['kind']} of {body['apiVersion']}"
        return resource.path(body["metadata"].get("namespace", "default"))

    def path(self, body: JSON) -> str:
        return f"{self._collection(body)}/{body['metadata']['name']}"


def _named(entries: list[JSON], name: str) -> JSON:
    return next(entry for entry in entries if entry["name"] == name)


def _warning(header: str) -> str:
    result = _WARNING.match(header)
    return re.sub(r"\\(.)", r"\1", result[1]) if result else header
