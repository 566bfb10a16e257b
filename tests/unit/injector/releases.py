"""Pods that show what a release has: for each row of the table one on which it makes a difference."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from tests.unit.injector.builders import ANCHORS, CONFIG, ENABLED, answer_to, container, patched, request
from webhook.injector.inject import Injector
from webhook.injector.names import CREATED_BY
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_values
from webhook.mesh.gostruct import YAML
from webhook.mesh.releases import LINES, Line
from webhook.mesh.values import Values, known_to
from webhook.review import JSON
from webhook.yaml import objects


@dataclass(frozen=True)
class Shown:
    """What a row needs to be seen: values of the mesh (by path), annotations of the Pod and of its Namespace, fields of
    the Pod's spec, the kind of the object."""

    values: JSON = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    namespace: dict[str, str] = field(default_factory=dict)
    spec: JSON = field(default_factory=dict)
    kind: str = "Pod"


def _merged(older: Any, newer: Any) -> Any:
    if not (isinstance(older, dict) and isinstance(newer, dict)):
        return newer
    return {key: _merged(older.get(key), newer.get(key, older.get(key))) for key in {**older, **newer}}


@lru_cache(maxsize=1)
def _all_keys() -> JSON:
    """Values with the keys of all lines; a line hides those that it does not know."""
    oldest, newest = (objects.read(default_values(name).decode()) for name in (LINES[0], LINES[-1]))
    return dict(_merged(oldest, newest))


def values_with(changes: JSON) -> JSON:
    """Values for every release, some of them others (by path); `...` takes the key away."""
    made = deepcopy(_all_keys())
    plain = {
        "proxy.nativeSidecar": False,
        "disableIPv6": False,
        "networkValidator.enableSecurityContext": True,
        "linkerdVersion": "edge-0.0.0",
    }
    for path, value in {**plain, **changes}.items():
        *parents, last = path.split(".")
        node = made
        for parent in parents:
            node = node.setdefault(parent, {})
        if value is ...:
            node.pop(last, None)
        else:
            node[last] = value
    return made


def mesh_of(line: Line, values: JSON) -> Mesh:
    """A mesh of exactly this line, which need not be a release's. Raises `ValidationError` for values that it
    refuses."""
    known = Values.model_validate(known_to(line, values), context=YAML)
    return replace(Mesh.load(default_values(LINES[-1]), ANCHORS, release_line=LINES[-1]), line=line, values=known)


def becomes(line: Line, shown: Shown) -> JSON:
    """What a release makes of the Pod: whether it is let in, and the object then. With values that the release cannot
    read, it lets none in."""
    try:
        using = Injector(mesh_of(line, values_with(shown.values)))
    except ValidationError:
        return {"allowed": False}
    own = shown.annotations if "linkerd.io/inject" in shown.namespace else {**ENABLED, **shown.annotations}
    spec = {"containers": [container()], **shown.spec}
    body: JSON = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop-1", "annotations": own}, "spec": spec}
    if shown.kind != "Pod":
        template = {"metadata": {"annotations": own}, "spec": spec}
        metadata = {"name": "shop", "namespace": "shop"}
        body = {"apiVersion": "apps/v1", "kind": shown.kind, "metadata": metadata, "spec": {"template": template}}
    answer = answer_to(request(body), using, Namespace("shop", shown.namespace, {}))
    if not answer.allowed:
        return {"allowed": False}
    after = patched(deepcopy(body), answer)
    after["metadata"].get("annotations", {}).pop(CREATED_BY, None)
    return {"allowed": True, "object": after}


_CNI: JSON = {"cniEnabled": True}
_TRACING: JSON = {
    "proxy.tracing": {
        "enable": True,
        "enabled": True,
        "protocol": "opentelemetry",
        "labels": {"a": "b"},
        "traceServiceName": "linkerd-proxy",
        "collector": {
            "endpoint": "collector.tracing:4317",
            "meshIdentity": {"serviceAccountName": "collector", "namespace": "tracing"},
        },
    },
    "identityTrustDomain": "trust.example",
    "clusterDomain": "cluster.example",
}
_RENAMED: JSON = {**_TRACING, "proxy.tracing": {**_TRACING["proxy.tracing"], "enable": False}}
_OWN_RESOURCES: JSON = {
    "proxy.resources": {"cpu": {"limit": "2", "request": "1"}, "memory": {"limit": "64Mi", "request": "32Mi"}},
    "proxyInit.resources": {"cpu": {"limit": "1", "request": "1"}, "memory": {"limit": "8Mi", "request": "8Mi"}},
}
_DEBUG = {f"{CONFIG}enable-debug-sidecar": "true"}
_NATIVE = "proxy-enable-native-sidecar"

# What each annotation holds, where that is seen.
_TEXTS = {
    "proxy-outbound-discovery-cache-unused-timeout": "7s",
    "proxy-inbound-discovery-cache-unused-timeout": "7s",
    "proxy-disable-outbound-protocol-detect-timeout": "true",
    "proxy-disable-inbound-protocol-detect-timeout": "true",
    "proxy-gid": "7",
    "proxy-admin-shutdown": "enabled",
    "proxy-log-http-headers": "insecure",
    "proxy-cpu-ratio-limit": "0.5",
    "proxy-metrics-hostname-labels": "true",
    "proxy-additional-env": '[{"name": "A", "value": "b"}]',
    "init-image": "example.org/init",
    "init-image-version": "v9",
    _NATIVE: "true",
}

# What is seen on a Pod that says nothing, with the default values, needs no entry.
SHOWN: dict[str, Shown] = {
    "value/disableIPv6": Shown({"disableIPv6": True}),
    "value/networkValidator": Shown(_CNI),
    "value/networkValidator.enableSecurityContext": Shown({**_CNI, "networkValidator.enableSecurityContext": False}),
    "value/networkValidator.securityContext": Shown({**_CNI, "networkValidator.securityContext": {"runAsUser": 7}}),
    "value/proxy.additionalEnv": Shown({"proxy.additionalEnv": [{"name": "A", "value": "b"}]}),
    "value/proxy.experimentalEnv": Shown({"proxy.experimentalEnv": {"A": "b"}}),
    "rule/experimental-env-is-a-map": Shown({"proxy.experimentalEnv": {"A": "b"}}),
    "value/proxy.disableInboundProtocolDetectTimeout": Shown({"proxy.disableInboundProtocolDetectTimeout": True}),
    "value/proxy.disableOutboundProtocolDetectTimeout": Shown({"proxy.disableOutboundProtocolDetectTimeout": True}),
    "value/proxy.enableShutdownEndpoint": Shown({"proxy.enableShutdownEndpoint": True}),
    "value/proxy.metrics": Shown({"proxy.metrics": {"hostnameLabels": True}}),
    "value/proxy.nativeSidecar": Shown({"proxy.nativeSidecar": True}),
    "value/proxy.startupProbe": Shown({"proxy.nativeSidecar": True}),
    "value/proxy.securityContext": Shown({"proxy.securityContext": {"runAsUser": 7}}),
    "value/proxy.tracing": Shown(_TRACING),
    "value/proxy.tracing.enable": Shown(_TRACING),
    "value/proxy.tracing.enabled": Shown(_RENAMED),
    "value/proxyInit.privileged": Shown({"proxyInit.privileged": True}),
    "value/proxyInit.runAsGroup": Shown({"proxyInit.runAsGroup": 7}),
    "env/LINKERD2_PROXY_TRACE_ANNOTATIONS_PATH": Shown(_TRACING),
    "rule/disable-ipv6-for-outbound": Shown({"disableIPv6": True}),
    "rule/disable-ipv6-for-listeners": Shown({"disableIPv6": True}),
    "rule/empty-log-http-headers": Shown({"proxy.logHTTPHeaders": ""}),
    "rule/tracing-enabled": Shown(_RENAMED),
    "rule/tracing-mount-enabled": Shown(_RENAMED),
    "rule/tracing-must-be-there": Shown({"proxy.tracing": ...}),
    "rule/trace-collector-namespace": Shown(_TRACING),
    "rule/trace-labels": Shown(_TRACING),
    "rule/trace-collector-in-trust-domain": Shown(_TRACING),
    "rule/trace-annotations": Shown(_TRACING, {"resource.opentelemetry.io/c": "d"}),
    "field/debug.probes": Shown(annotations=_DEBUG),
    "field/proxy.runAsGroup": Shown({"proxy.gid": 7}),
    "rule/native-sidecar-without-wait": Shown({"proxy.nativeSidecar": True, "proxy.waitBeforeExitSeconds": 5}),
    "rule/debug-image-annotations": Shown(annotations={**_DEBUG, f"{CONFIG}debug-image": "example.org/other"}),
    "rule/init-never-user-0": Shown({"proxyInit.runAsUser": 0}),
    "rule/privileged-by-value": Shown({"proxyInit.runAsRoot": True}),
    "flag/--ipv6": Shown({"disableIPv6": True}),
    "flag/--proxy-gid": Shown({"proxy.gid": 7}),
    "field/init.runAsGroup": Shown({"proxyInit.runAsGroup": 7}),
    "rule/init-has-proxy-resources": Shown(_OWN_RESOURCES),
    "rule/close-wait-needs-root": Shown(annotations={f"{CONFIG}close-wait-timeout": "5s"}),
    "rule/noop": Shown(_CNI),
    "field/noop.runAsUser": Shown(_CNI),
    "field/noop.resources": Shown(_CNI),
    "rule/noop-memory-25Mi": Shown(_CNI),
    "rule/network-validator": Shown(_CNI),
    "field/validator.runAsNonRoot": Shown(_CNI),
    "field/validator.resources": Shown(_CNI),
    "rule/validator-has-init-resources": Shown({**_CNI, **_OWN_RESOURCES}),
    "rule/validator-has-proxy-resources": Shown({**_CNI, **_OWN_RESOURCES}),
    "field/validator.readOnlyRootFilesystem": Shown(_CNI),
    "field/validator.runAsGroup": Shown(_CNI),
    "rule/validator-connects-by-family": Shown({**_CNI, "networkValidator.connectAddr": ""}),
    "rule/validator-listens-by-family": Shown({**_CNI, "networkValidator.listenAddr": ""}),
    "rule/proxy-version-falls-back": Shown({"proxy.image.version": ""}),
    "rule/inject-and-alpha-inherited": Shown(namespace=ENABLED),
    "rule/beta-native-sidecar-inherited": Shown(namespace={f"config.beta.linkerd.io/{_NATIVE}": "true", **ENABLED}),
    "rule/template-annotations-are-own": Shown(
        annotations={f"{CONFIG}proxy-log-level": "own"},
        namespace={f"{CONFIG}proxy-log-level": "theirs"},
        kind="Deployment",
    ),
    "rule/pod-inbound-ports-annotation": Shown(annotations={f"{CONFIG}pod-inbound-ports": "7"}),
    "rule/opaque-port-ranges-expand": Shown(annotations={f"{CONFIG}opaque-ports": "4000-4002"}),
    "rule/sidecars-among-init-containers": Shown(spec={"initContainers": [container("linkerd-proxy")]}),
    "rule/audit-policy": Shown(annotations={f"{CONFIG}default-inbound-policy": "audit"}),
    "rule/cpu-request-sets-workers": Shown(annotations={f"{CONFIG}proxy-cpu-request": "7"}),
    "rule/init-container-ports": Shown(
        spec={"initContainers": [container("own", ports=[{"name": "db", "containerPort": 3306}])]}
    ),
}


def shown(row: str) -> Shown:
    """The Pod on which a row is seen."""
    if row in SHOWN:
        return SHOWN[row]
    kind, _, name = row.partition("/")
    if kind == "annotation":
        return Shown(annotations={name: _TEXTS[name.partition("/")[2]]})
    return Shown()
