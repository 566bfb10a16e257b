"""Small Pods, values and requests to test with, and what becomes of them."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import lru_cache
from typing import Any

import jsonpatch
import yaml

from webhook.injector.inject import Injector, read_or_answer
from webhook.injector.owner import Root
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_values
from webhook.review import JSON, AdmissionRequest, Answer, from_object, parse

EDGE = "edge-26.8"
STABLE = "stable-2.12"
LINES = (EDGE, STABLE)

CONFIG = "config.linkerd.io/"
ALPHA = "config.alpha.linkerd.io/"
BETA = "config.beta.linkerd.io/"
INJECT = "linkerd.io/inject"
OPAQUE = f"{CONFIG}opaque-ports"
ENABLED = {INJECT: "enabled"}
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

# Any text will do: who trusts whom is no business of the injector's.
ANCHORS = b"-----BEGIN CERTIFICATE-----\nbm90IGEgcmVhbCBvbmU=\n-----END CERTIFICATE-----\n"

_STABLE_VALUES = """
linkerdVersion: stable-2.12.2
clusterDomain: cluster.local
clusterNetworks: 10.0.0.0/8
identityTrustDomain: trust.example
imagePullPolicy: IfNotPresent
identity: {serviceAccountTokenProjection: true}
debugContainer: {image: {name: example.org/debug, version: d1, pullPolicy: Always}}
proxy:
  await: true
  defaultInboundPolicy: all-unauthenticated
  image: {name: example.org/proxy, version: ""}
  inboundConnectTimeout: 100ms
  outboundConnectTimeout: 1000ms
  logFormat: plain
  logLevel: warn
  opaquePorts: 25,3306
  ports: {admin: 4191, control: 4190, inbound: 4143, outbound: 4140}
  resources: {cpu: {}, memory: {}}
  uid: 2102
proxyInit:
  ignoreInboundPorts: 4567,4568
  ignoreOutboundPorts: 4567,4568
  image: {name: example.org/proxy-init, version: v2}
  iptablesMode: legacy
  resources: {cpu: {limit: 100m, request: 10m}, memory: {limit: 20Mi, request: 20Mi}}
  runAsUser: 65534
  xtMountPath: {mountPath: /run, name: linkerd-proxy-init-xtables-lock}
"""


@lru_cache(maxsize=1)
def _parsed_defaults() -> JSON:
    return dict(yaml.safe_load(default_values()))


@lru_cache(maxsize=1)
def _parsed_stable() -> JSON:
    return dict(yaml.safe_load(_STABLE_VALUES))


def values(line: str = EDGE, **overrides: Any) -> JSON:
    """Values of a line. Overrides name a path with `__` for each dot; `...` takes the key away."""
    made = deepcopy(_parsed_defaults() if line == EDGE else _parsed_stable())
    for path, value in overrides.items():
        *parents, last = path.split("__")
        node = made
        for parent in parents:
            if not isinstance(node.get(parent), dict):
                node[parent] = {}
            node = node[parent]
        if value is ...:
            node.pop(last, None)
        else:
            node[last] = value
    return made


def mesh(line: str = EDGE, *, anchors: bytes = ANCHORS, namespace: str = "linkerd", **overrides: Any) -> Mesh:
    """A mesh with these values."""
    return Mesh.load(yaml.safe_dump(values(line, **overrides)).encode(), anchors, linkerd_namespace=namespace)


@lru_cache(maxsize=len(LINES))
def _plain(line: str) -> Injector:
    return Injector(mesh(line))


def injector(line: str = EDGE, **options: Any) -> Injector:
    """An injector of a mesh with these values; options as for `mesh`."""
    return Injector(mesh(line, **options)) if options else _plain(line)


@lru_cache(maxsize=512)
def release(name: str) -> Injector:
    """An injector of a release line, or of any release, with its chart's values."""
    return Injector(Mesh.load(default_values(name), ANCHORS, release_line=name))


def container(name: str = "app", **fields: Any) -> JSON:
    """A container that has no more than it must."""
    return {"name": name, "image": f"example.org/{name}:1", **fields}


def pod(annotations: dict[str, str] | None = None, *, labels: dict[str, str] | None = None, **spec: Any) -> JSON:
    """A Pod of one container that asks for injection, unless `annotations` say otherwise."""
    metadata: JSON = {"name": "shop-1", "annotations": {**ENABLED, **(annotations or {})}}
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container()], **spec}}


def request(
    body: Any, *, kind: str = "", namespace: str = "shop", dry_run: bool = False, parsed: bool = False
) -> AdmissionRequest:
    """What the API server asks about an object; `parsed` as it comes from YAML, else as the API server writes it."""
    stated = body.get("kind") if isinstance(body, dict) else None
    kind = kind or (stated if isinstance(stated, str) and stated else "Pod")
    group = {"Pod": "", "Service": "", "ReplicationController": "", "Job": "batch", "CronJob": "batch"}.get(
        kind, "apps"
    )
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "4b6bb44d-9f33-4b4e-9d6c-000000000001",
            "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": group, "version": "v1", "resource": f"{kind.lower()}s"},
            "namespace": namespace,
            "operation": "CREATE",
            "object": body,
            "dryRun": dry_run,
        },
    }
    return from_object(review) if parsed else parse(json.dumps(review, separators=(",", ":")).encode())


def decide(
    body: Any,
    using: Injector | None = None,
    *,
    namespace: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    workload: tuple[str, str] | None = None,
    **options: Any,
) -> Answer:
    """The injector's answer about an object, with the Namespace's annotations and labels.

    It is the same for an object that comes as text and for one that comes parsed, and with nothing in memory.
    """
    using, within = using or injector(), Namespace("shop", namespace or {}, labels or {})
    answer = answer_to(request(body, **options), using, within, workload)
    parsed = answer_to(request(deepcopy(body), parsed=True, **options), Injector(using.mesh), within, workload)
    assert parsed == answer
    return answer


def answer_to(
    asked: AdmissionRequest,
    using: Injector,
    namespace: Namespace,
    workload: tuple[str, str] | None = None,
    root: Root | None = None,
) -> Answer:
    """The injector's answer to a request about an object in this Namespace."""
    subject = read_or_answer(asked)
    return subject if isinstance(subject, Answer) else using.decide(subject, namespace, workload, root)


def patched(body: Any, answer: Answer) -> Any:
    """The object after the answer's patch, which must apply."""
    return jsonpatch.apply_patch(body, answer.patch) if answer.patch else body


def inject(body: Any, using: Injector | None = None, **options: Any) -> JSON:
    """The object with its sidecar; anything but an injection fails."""
    answer = decide(body, using, **options)
    assert answer.decision == "injected", (answer.decision, answer.message)
    return dict(patched(body, answer))


def pod_of(body: JSON) -> JSON:
    """The Pod (template) of an object: metadata and spec."""
    if body["kind"] == "CronJob":
        return dict(body["spec"]["jobTemplate"]["spec"]["template"])
    return body if body["kind"] == "Pod" else dict(body["spec"]["template"])


def named(body: JSON, name: str) -> JSON:
    """The container or init container of this name."""
    spec = pod_of(body)["spec"]
    result = [c for c in (*spec.get("initContainers", ()), *spec["containers"]) if c.get("name") == name]
    assert len(result) == 1, f"{len(result)} containers {name}"
    return dict(result[0])


def proxy_of(body: JSON) -> JSON:
    """The proxy's container."""
    return named(body, "linkerd-proxy")


def init_of(body: JSON) -> JSON:
    """The init container that redirects the traffic."""
    return named(body, "linkerd-init")


def env_of(body: JSON) -> JSON:
    """The proxy's variables with a value, by name."""
    return {variable["name"]: variable["value"] for variable in proxy_of(body)["env"] if "value" in variable}


def names(containers: list[JSON]) -> list[str]:
    """The containers' names, in order."""
    return [c["name"] for c in containers]
