"""What the servers are asked, and the right answers: reviews of Pods, Servers, and ServiceProfiles of ten routes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from bench import reviews

JSON = dict[str, Any]

ROUTES = 10


@dataclass(frozen=True, slots=True)
class Load:
    """Where to post which bodies, and what raises ValueError for an answer that is none."""

    path: str
    bodies: list[bytes]
    check: Callable[[bytes], None]


def pods(count: int, templates: int) -> Load:
    """Pods to inject, of so many templates."""
    return Load("/proxy-injector", reviews.reviews(count, templates=templates), reviews.check_injected)


def servers(count: int, templates: int) -> Load:
    """Servers to check, all different."""
    return Load("/policy-validator", [_review(server(number), "servers") for number in range(count)], check_allowed)


def service_profiles(count: int, templates: int) -> Load:
    """ServiceProfiles of ten routes to check, all different."""
    bodies = [_review(service_profile(number), "serviceprofiles") for number in range(count)]
    return Load("/sp-validator", bodies, check_allowed)


LOADS = {"pod": pods, "server": servers, "serviceprofile": service_profiles}


def server(number: int) -> JSON:
    """A Server in order."""
    return {
        "apiVersion": "policy.linkerd.io/v1beta3",
        "kind": "Server",
        "metadata": _metadata(f"checkout-{number}", number, "policy.linkerd.io/v1beta3"),
        "spec": {
            "podSelector": {"matchLabels": {"app": f"checkout-{number}"}},
            "port": "http",
            "proxyProtocol": "HTTP/1",
            "accessPolicy": "deny",
        },
    }


def service_profile(number: int) -> JSON:
    """A ServiceProfile of ten routes in order."""
    return {
        "apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile",
        "metadata": _metadata(f"checkout-{number}.shop.svc.cluster.local", number, "linkerd.io/v1alpha2"),
        "spec": {
            "retryBudget": {"retryRatio": 0.2, "minRetriesPerSecond": 10, "ttl": "10s"},
            "routes": [_route(number, index) for index in range(ROUTES)],
        },
    }


def _route(number: int, index: int) -> JSON:
    return {
        "name": f"GET /v{number}/orders/{index}",
        "condition": {"method": "GET", "pathRegex": f"/v{number}/orders/{index}/[^/]*"},
        "isRetryable": True,
        "timeout": "300ms",
        "responseClasses": [{"condition": {"status": {"min": 500, "max": 599}}, "isFailure": True}],
    }


def _metadata(name: str, number: int, api_version: str) -> JSON:
    """As the API server has filled it in."""
    return {
        "name": name,
        "namespace": "shop",
        "uid": str(uuid.UUID(int=number)),
        "generation": 1,
        "creationTimestamp": "2026-08-01T10:11:12Z",
        "labels": {"app.kubernetes.io/name": "checkout", "app.kubernetes.io/managed-by": "Helm"},
        "managedFields": [
            {
                "manager": "kubectl-create",
                "operation": "Update",
                "apiVersion": api_version,
                "time": "2026-08-01T10:11:12Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}}, "f:spec": {}},
            }
        ],
    }


def _review(body: JSON, plural: str) -> bytes:
    group, _, version = body["apiVersion"].partition("/")
    kind = {"group": group, "version": version, "kind": body["kind"]}
    resource = {"group": group, "version": version, "resource": plural}
    request = {
        "uid": body["metadata"]["uid"],
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": body["metadata"]["name"],
        "namespace": body["metadata"]["namespace"],
        "operation": "CREATE",
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "object": body,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-create"},
    }
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})


def check_allowed(answer: bytes) -> None:
    """Raise ValueError unless the answer allows, and has nothing to warn of."""
    response = orjson.loads(answer).get("response") or {}
    if response.get("allowed") is not True or response.get("warnings"):
        raise ValueError(f"not allowed without a word: {answer[:2000].decode(errors='replace')}")
