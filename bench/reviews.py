"""The sample Pod: the review that an API server sends for it, the Pod to create, the check that it came out meshed."""

from __future__ import annotations

import base64
import copy
import random
import uuid
from pathlib import Path
from typing import Any

import orjson

JSON = dict[str, Any]

# As a real API server posted it: managedFields, defaults and the kube-api-access volume filled in.
REVIEW: JSON = orjson.loads((Path(__file__).parent / "review.json").read_bytes())
NAMESPACE: str = REVIEW["request"]["namespace"]
DEPLOYMENT = "checkout"


def review(number: int, namespace: str = NAMESPACE, templates: int = 1) -> bytes:
    """One review. All differ in uid, image, environment and the name of the token's volume, and every so many of them
    in what is injected."""
    body = copy.deepcopy(REVIEW)
    request = body["request"]
    request["uid"] = str(uuid.UUID(int=number))
    request["namespace"] = namespace
    _vary(request["object"], number, namespace)
    memory = f"{16 + number % templates}Mi"
    request["object"]["metadata"]["annotations"]["config.linkerd.io/proxy-memory-request"] = memory
    return orjson.dumps(body)


def reviews(count: int, namespace: str = NAMESPACE, templates: int = 1) -> list[bytes]:
    """That many reviews, all different, of so many templates."""
    return [review(number, namespace, templates) for number in range(count)]


def pod(number: int, namespace: str = NAMESPACE) -> JSON:
    """The Pod of `review(number)` as a controller creates it: without what the API server fills in."""
    body: JSON = copy.deepcopy(REVIEW["request"]["object"])
    _vary(body, number, namespace)
    del body["metadata"]["managedFields"], body["status"]
    spec = body["spec"]
    spec["volumes"] = [volume for volume in spec["volumes"] if "projected" not in volume]
    for container in spec["containers"]:
        container["volumeMounts"] = [m for m in container["volumeMounts"] if "serviceaccount" not in m["mountPath"]]
    return body


def _vary(body: JSON, number: int, namespace: str) -> None:
    body["metadata"]["namespace"] = namespace
    container = body["spec"]["containers"][0]
    container["image"] = f"registry.example.com/shop/checkout:2.41.{number}"
    container["env"].append({"name": "RELEASE", "value": f"r{number:06d}"})
    # As the API server names the volume of a Pod's token: another name for each Pod.
    token = f"kube-api-access-{random.Random(number).randrange(36**5):05d}"
    for volume in body["spec"]["volumes"]:
        if "projected" in volume:
            volume["name"] = token
    for container in (*body["spec"].get("initContainers", ()), *body["spec"]["containers"]):
        for mount in container.get("volumeMounts", ()):
            if "serviceaccount" in mount["mountPath"]:
                mount["name"] = token


def cluster_of(namespace: str = NAMESPACE) -> list[JSON]:
    """What the Pod lives in: a Namespace that asks for injection, the ReplicaSet that owns it, and that one's owner."""
    owner = REVIEW["request"]["object"]["metadata"]["ownerReferences"][0]
    template = {"metadata": {"labels": {"app": DEPLOYMENT}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    spec = {"selector": {"matchLabels": {"app": DEPLOYMENT}}, "template": template}
    controller = {"apiVersion": "apps/v1", "kind": "Deployment", "name": DEPLOYMENT, "uid": str(uuid.UUID(int=1))}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "annotations": {"linkerd.io/inject": "enabled"}},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": DEPLOYMENT, "namespace": namespace},
            "spec": spec,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": owner["name"],
                "namespace": namespace,
                "ownerReferences": [controller | {"controller": True}],
            },
            "spec": spec,
        },
    ]


def patch_of(answer: bytes) -> list[JSON]:
    """The operations in an AdmissionReview's answer. Raises ValueError when it refuses, or changes nothing."""
    response = orjson.loads(answer).get("response") or {}
    if not response.get("allowed") or not response.get("patch"):
        raise ValueError(f"not injected: {answer[:2000].decode(errors='replace')}")
    patch: list[JSON] = orjson.loads(base64.b64decode(response["patch"]))
    return patch


def check_injected(answer: bytes) -> None:
    """Raise ValueError unless the answer's patch adds a container called linkerd-proxy."""
    patch = patch_of(answer)
    added = [value for operation in patch for value in _values(operation.get("value"))]
    if not any(value.get("name") == "linkerd-proxy" and value.get("image") for value in added):
        raise ValueError(f"the patch adds no linkerd-proxy: {orjson.dumps(patch)[:2000].decode()}")


def _values(value: Any) -> list[JSON]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
