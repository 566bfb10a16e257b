"""Server (policy.linkerd.io): a port of some Pods, its protocol, and which clients may connect by default."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from webhook.cluster.interface import Catalog
from webhook.findings.finding import Path, Severity, declare, show
from webhook.mesh.releases import Line
from webhook.policy.portnames import what_is_wrong
from webhook.policy.schema.reading import BAD, MISSING, SCHEMA_MISSING, TYPE, Node, Reading
from webhook.policy.schema.shape import (
    STRING,
    Anything,
    Choice,
    Field,
    Pruned,
    Shape,
    Struct,
    not_allowed,
    omittable,
    optional,
    read_aside,
    required,
)
from webhook.policy.selectors import (
    FLATTENED_LONE_SELECTOR,
    FLATTENED_SELECTOR,
    LONE_SELECTOR,
    SELECTOR,
    same_selector,
    selects_all,
)

ACCESS_POLICY = declare(
    "server-access-policy",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A Server has an accessPolicy that does not exist.",
)
BOTH_SELECTORS = declare(
    "server-two-selectors",
    Severity.SCHEMA,
    "FieldValueForbidden",
    "A Server has both a podSelector and an externalWorkloadSelector, and Linkerd ignores the former.",
)
NO_PORT = declare(
    "server-port-empty", Severity.WARNING, "FieldValueInvalid", "A Server's port is an empty name, which no port has."
)
QUOTED = declare(
    "server-port-quoted",
    Severity.WARNING,
    "FieldValueInvalid",
    "A Server's port is a number in quotes, which is a name that no port has.",
)
PORT_NAME = declare(
    "server-port-name",
    Severity.WARNING,
    "FieldValueInvalid",
    "A Server's port is a name that Kubernetes does not allow for a port.",
)
OVERLAP = declare(
    "server-overlap",
    Severity.ERROR,
    "FieldValueDuplicate",
    "Two Servers select the same port of the same Pods, which Linkerd up to 2.17 refuses.",
)

PROTOCOLS: Final = ("unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS")
# Other names that users write for the protocols.
_PROTOCOL: Final = Choice(
    *PROTOCOLS,
    called={
        **dict.fromkeys(("http", "http1", "http1.1", "http/1.1", "h1"), "HTTP/1"),
        **dict.fromkeys(("http2", "h2", "h2c", "http/2.0"), "HTTP/2"),
        **dict.fromkeys(("tcp", "mysql", "redis", "postgres"), "opaque"),
        **dict.fromkeys(("https", "ssl"), "TLS"),
    },
)
POLICIES: Final = (
    "all-authenticated",
    "all-unauthenticated",
    "cluster-authenticated",
    "cluster-unauthenticated",
    "deny",
    "audit",
)


class _Port(Shape):
    """The number or the name of a port. The policy controller accepts any name, even an empty one."""

    wanted = "a port's number from 1 to 65535, or its name"

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if type(value) is str:
            _warn_of_name(value, path, reading)
            return value
        if type(value) is int and 0 < value <= 65535:
            return value
        if type(value) is float and value.is_integer():
            reading.refuse(TYPE, path, f"{show(value)} is not an integer: write {int(value)}")
        else:
            reading.refuse(TYPE, path, f"{show(value)} is not a port: write {self.wanted}")
        return BAD


def _warn_of_name(name: str, path: Path, reading: Reading) -> None:
    if not name:
        reading.note(NO_PORT, path, "the port is an empty name: write the name of a containerPort, or its number")
    elif name.strip().isascii() and name.strip().isdecimal() and 0 < int(name.strip()[:9]) <= 65535:
        number = int(name.strip()[:9])
        reading.note(
            QUOTED,
            path,
            f"{show(name)} is the name of a port, and no container's port can have it: write {number} without quotes",
        )
    elif wrong := what_is_wrong(name):
        reading.note(
            PORT_NAME,
            path,
            f"no container's port can be named {show(name)}: {wrong}; write the name of a containerPort",
        )


_SELECTORS: Final = ("externalWorkloadSelector", "podSelector")


class _ServerSpec(Struct):
    """The spec of a Server, whose selector serde flattens into it: Linkerd reads the first of the two that is present.

    `version` are the fields that depend on the API version, `aside` those that only its CRD has, and `selector` is the
    shape of `podSelector`. `external` says whether the CRD has `externalWorkloadSelector`; if not, it requires
    `podSelector`.
    """

    def __init__(self, version: dict[str, Field], selector: Struct, external: bool, aside: Mapping[str, Shape]) -> None:
        super().__init__(
            {
                "podSelector": omittable(Anything()),
                "externalWorkloadSelector": omittable(Anything()),
                "port": required(_Port()),
                "proxyProtocol": optional(_PROTOCOL),
                **version,
            },
            check=_check,
            flattened=True,
            aside=aside,
        )
        self._external = external
        self._pods = selector
        self._workloads: Shape = FLATTENED_SELECTOR if external else Pruned(FLATTENED_SELECTOR)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        node = super().read(value, path, reading)
        if node is BAD:
            return BAD
        present = [name for name in _SELECTORS if name in value]
        if not present:
            reading.refuse(
                MISSING,
                (*path, "podSelector"),
                "the field podSelector is missing: add it, such as {matchLabels: {app: web}}, or {} for every Pod",
            )
            return node
        chosen = present[0]
        if chosen != "podSelector":
            self._check_ignored_pod_selector(value, path, reading)
        shape = self._pods if chosen == "podSelector" else self._workloads
        selector = shape.read(value[chosen], (*path, chosen), reading)
        if selector is BAD:
            node.bad += (chosen,)
        else:
            node[chosen] = selector
        return node

    def _check_ignored_pod_selector(self, value: dict[str, Any], path: Path, reading: Reading) -> None:
        at = (*path, "podSelector")
        if self._external:
            if value.get("podSelector") is not None and value["externalWorkloadSelector"] is not None:
                reading.note(
                    BOTH_SELECTORS,
                    at,
                    "Linkerd ignores podSelector beside externalWorkloadSelector: leave one of them out",
                )
        elif value.get("podSelector") is None:
            reading.note(
                SCHEMA_MISSING,
                at,
                "the CRD requires the field podSelector in this version of the API: write a newer version",
            )
        else:
            read_aside(self._pods, value["podSelector"], at, reading)


def _check(node: Node, reading: Reading) -> None:
    policy = node.get("accessPolicy")
    if policy is not None and policy not in POLICIES:
        reading.note(ACCESS_POLICY, (*node.path, "accessPolicy"), not_allowed(policy, POLICIES))


def check_overlap(name: str, spec: Any, catalog: Catalog, reading: Reading) -> bool:
    """Refuse a Server that selects a port of workloads which another Server selects, as Linkerd up to 2.17 does.

    `name` is the Server's, `spec` its spec as it was read. Selectors of Pods, and from 2.15 on those of
    ExternalWorkloads, are compared among themselves, as they are written; a port's number is never equal to a name.
    Returns whether there is such a Server in `catalog`.
    """
    if reading.broken or spec is BAD:
        return False
    overlaps = False
    kind, ours = _selector(spec, reading.line)
    for other, theirs in sorted((catalog.servers(reading.namespace) or {}).items()):
        port = theirs.get("port")
        if other == name or type(port) is not type(spec["port"]) or port != spec["port"]:
            continue
        other_kind, selector = _selector(theirs, reading.line)
        if not kind or other_kind != kind:
            continue
        if selects_all(selector) or selects_all(ours) or same_selector(selector, ours):
            overlaps = True
            workloads = "Pods" if kind == "podSelector" else "ExternalWorkloads"
            reading.note(
                OVERLAP,
                (*spec.path, "port"),
                f"Server {show(other)} selects the port {show(port)} of these {workloads} already: write another "
                "port, or another selector",
            )
    return overlaps


def _selector(spec: Mapping[str, Any], line: Line) -> tuple[str, Mapping[str, Any]]:
    """The field of the selector that Linkerd reads, and the selector; an empty name where there is none."""
    for name in _SELECTORS if line.has(_EXTERNAL) else ("podSelector",):
        if isinstance(selector := spec.get(name), dict):
            return name, selector
    return "", {}


_EXTERNAL: Final = "policy/Server.externalWorkloadSelector"


def _stable(selector: Struct) -> Struct:
    return Struct({"podSelector": required(selector), "port": required(_Port()), "proxyProtocol": optional(_PROTOCOL)})


_STABLE_NEWEST: Final = _stable(SELECTOR)
_STABLE: Final = {"v1alpha1": _stable(LONE_SELECTOR)}
# The API versions before accessPolicy, and those before externalWorkloadSelector.
_BEFORE_ACCESS: Final = ("v1alpha1", "v1beta1", "v1beta2")
_BEFORE_EXTERNAL: Final = ("v1alpha1", "v1beta1")


@cache
def _flattened(version: str, access: bool, served: bool) -> _ServerSpec:
    """The spec in an API version; `access` is whether Linkerd reads accessPolicy, `served` whether a CRD has it."""
    policy: Shape = Pruned(STRING) if version in _BEFORE_ACCESS else STRING
    return _ServerSpec(
        {"accessPolicy": optional(policy)} if access else {},
        FLATTENED_LONE_SELECTOR if version == "v1alpha1" else FLATTENED_SELECTOR,
        external=version not in _BEFORE_EXTERNAL,
        aside={"accessPolicy": STRING} if served and not access and version not in _BEFORE_ACCESS else {},
    )


def spec(line: Line, version: str) -> Shape:
    """The shape of a Server's spec at a release line and in an API version such as `v1beta3`."""
    if not line.has(_EXTERNAL):
        return _STABLE.get(version, _STABLE_NEWEST)
    known = version if version in _BEFORE_ACCESS else ""
    return _flattened(known, line.has("policy/Server.accessPolicy"), line.has("policy/Server.v1beta3"))
