"""How the proxy of a Pod differs from the one that it would get now, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from webhook.diagnosis.dataplane import causes
from webhook.diagnosis.dataplane.causes import Situation
from webhook.diagnosis.dataplane.stored import stored
from webhook.injector.names import PROXY
from webhook.injector.removal import ADDED, is_added
from webhook.injector.shapes import Difference, differences, shape
from webhook.injector.subject import SERVICE_ACCOUNT_PATH
from webhook.kube.fields import mapping, mappings, sequence, text
from webhook.kube.interface import JSON

# Beside what Linkerd writes, others may add to every container of a Pod: their variables, mounts and fields are theirs.
_VARIABLES: Final = ("LINKERD2_PROXY_", "_pod_", "_l5d_")
# Variables of Linkerd's extensions, and the annotation by which these mark a Pod.
_EXTENSIONS: Final = {
    "LINKERD2_PROXY_TAP_": "viz.linkerd.io/tap-enabled",
    "LINKERD2_PROXY_TRACE_": "jaeger.linkerd.io/tracing-enabled",
}
_VOLUMES: Final = "linkerd-"
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_FIELDS: Final = frozenset(
    (*_PROBES, "args", "command", "env", "image", "lifecycle", "place", "ports", "resources", "restartPolicy")
)
_SECURITY: Final = frozenset(("capabilities", "privileged", "runAsGroup", "runAsNonRoot", "runAsUser"))
_CERTIFICATE: Final = "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Drift:
    """One field of a Pod that differs. `path` is `containers[linkerd-proxy].env[LINKERD2_PROXY_LOG]`; `now` and `would`
    are what stands there and what would, None for nothing; `why` is what decides about it, as a phrase."""

    path: str
    now: Any
    would: Any
    why: str

    @property
    def is_container(self) -> bool:
        """Whether it is a whole container, which is there and would not be, or the reverse."""
        return self.path.endswith("]") and "." not in self.path

    def as_json(self) -> JSON:
        """All of it."""
        return {"path": self.path, "now": self.now, "would": self.would, "why": self.why}


def drift(
    pod: JSON, expected: JSON, situation: Situation | None = None, limit_ranges: Sequence[JSON] = ()
) -> tuple[Drift, ...]:
    """What differs in the containers that Linkerd adds: those of a Pod that has a proxy, and those it would get now.

    `expected` is the Pod as it would be admitted now (`expectation.expect`), and `situation` tells why. What the API
    server, a LimitRange or another webhook adds by itself is not a difference.
    """
    now, would = _containers(pod, ()), _containers(expected, limit_ranges)
    # A container for debugging may have been asked for since, or no more: it counts as any other.
    result = [difference for difference in differences(shape(now, ""), shape(would, "")) if _is_drift(difference, pod)]
    return tuple(_told(difference, pod, expected, situation) for difference in result)


def _containers(pod: JSON, limit_ranges: Iterable[JSON]) -> JSON:
    """The Pod with nothing but the containers that Linkerd adds, as they are stored."""
    spec = {
        key: [
            _by_flags(stored(element, limit_ranges))
            for element in mappings(pod, "spec", key)
            if is_added(element, first=key == "initContainers")
        ]
        for key in ("containers", "initContainers")
    }
    return {"spec": spec}


def _by_flags(container: JSON) -> JSON:
    """The container, with arguments by their flags: `--proxy-uid 2102` and `--proxy-uid=2102` are the same."""
    flags: JSON = {}
    last = ""
    for argument in sequence(container, "args"):
        written = str(argument)
        if written.startswith("--"):
            last, _, flags[last] = written.partition("=")
        elif last:
            flags[last] = written
    return {**container, "args": flags} if flags else container


def _is_drift(difference: Difference, pod: JSON) -> bool:
    path, old, new = difference.path, difference.old, difference.new
    if len(path) < 3:
        return path[0] == "containers" and path[1] in ADDED
    field, rest = path[2], path[3:]
    if field == "env" and rest[:1] == ("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",):
        return _certificates(old) != _certificates(new)
    if field == "env" and rest[:1] == ("LINKERD2_PROXY_INBOUND_PORTS",):
        # A container that another webhook put in later has ports that the injector did not see.
        return not _ports(old) <= _ports(new)
    if difference.kind != "removed":
        return True
    match field, rest:
        case "env", (name, *_):
            return name.startswith(_VARIABLES) and not _is_extensions(name, pod)
        case "volumeMounts", (mount_path, *_):
            return mount_path != SERVICE_ACCOUNT_PATH and text(old, "name").startswith(_VOLUMES)
        case "securityContext", (name, *_):
            return name in _SECURITY
        case "resources", ("requests", *_):
            # What the API server, or a LimitRange that is gone, took from the limits.
            return _written(pod, path) is not None
    return field in _FIELDS


def _is_extensions(variable: str, pod: JSON) -> bool:
    annotations = mapping(pod, "metadata", "annotations")
    return any(variable.startswith(prefix) and mark in annotations for prefix, mark in _EXTENSIONS.items())


def _ports(listed: object) -> set[str]:
    return set(listed.split(",")) - {""} if isinstance(listed, str) else set()


def _certificates(bundle: object) -> object:
    """The certificates of a PEM bundle, in whatever order and however they are spaced."""
    if not isinstance(bundle, str):
        return bundle
    return frozenset("".join(part.split()) for part in bundle.split(_CERTIFICATE) if part.strip())


def _told(difference: Difference, pod: JSON, expected: JSON, situation: Situation | None) -> Drift:
    path, now, would = difference.path, difference.old, difference.new
    if path[2:3] == ("resources",):
        now, would = _written(pod, path), _written(expected, path)
    if len(path) < 3:
        now, would = (None if element is None else "present" for element in (now, would))
    place = _place(difference, pod, expected)
    why = causes.why(path, situation) if situation is not None else ""
    return Drift(_dotted(place, path), now, would, why)


def _place(difference: Difference, pod: JSON, expected: JSON) -> str:
    """The list in which the container is: in the Pod, or else where it would be."""
    name = difference.path[1]
    for body in (pod, expected):
        for key in ("initContainers", "containers"):
            if any(text(element, "name") == name for element in mappings(body, "spec", key)):
                return key
    return "containers"


def _dotted(place: str, path: Sequence[str]) -> str:
    out = f"{place}[{path[1]}]"
    rest = list(path[2:])
    if len(rest) > 1 and rest[0] in ("args", "env", "volumeMounts", "ports"):
        out += f".{rest[0]}[{rest[1]}]"
        rest = rest[2:]
    return ".".join((out, *rest))


def _written(pod: JSON, path: Sequence[str]) -> Any:
    """What a container has written at a path, in the quantities' own words; None for nothing."""
    for key in ("containers", "initContainers"):
        for container in mappings(pod, "spec", key):
            if text(container, "name") == path[1]:
                node: Mapping[str, Any] = mapping(container, *path[2:-1])
                return node.get(path[-1])
    return None


def versions(pod: JSON) -> Iterator[str]:
    """The images of the proxy's containers."""
    for key in ("containers", "initContainers"):
        for container in mappings(pod, "spec", key):
            if text(container, "name") == PROXY:
                yield text(container, "image")
