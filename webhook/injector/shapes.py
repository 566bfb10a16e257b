"""A Pod in a shape that can be compared: what has a name stands under its name, wherever it is in its list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from webhook.review import JSON

Kind = Literal["added", "removed", "changed"]
Path = tuple[str, ...]

# Lists of objects, and the field that tells these apart.
_NAMED: Final = {
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
}
# Fields of a container whose parts are compared by name.
_BY_NAME: Final = frozenset({*_NAMED, "args"})
# A negative number is a value.
_FLAG: Final = re.compile(r"--?[A-Za-z]")
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")


class Difference(NamedTuple):
    """A field that differs. `path` begins with `annotations`, `labels`, `containers`, `volumes`, `spec` or `injection`.

    `old` and `new` are None where there is nothing.
    """

    path: Path
    kind: Kind
    old: Any
    new: Any

    @property
    def where(self) -> str:
        """The place in words: `linkerd-proxy env LINKERD2_PROXY_LOG`, `linkerd-init securityContext.runAsGroup`."""
        return where(self.path)


def shape(pod: JSON, injection: str) -> JSON:
    """A Pod by names. `injection` is what became of it: `injected`, or why it was not."""
    metadata, spec = _dict(pod.get("metadata")), _dict(pod.get("spec"))
    named = {*_CONTAINERS, "volumes"}
    return {
        "injection": injection,
        "annotations": _dict(metadata.get("annotations")),
        "labels": _dict(metadata.get("labels")),
        "containers": {str(one.get("name")): _container(field, one) for field, one in _containers(spec)},
        "volumes": {str(volume.get("name")): _without(volume, "name") for volume in _dicts(spec.get("volumes"))},
        "spec": {key: value for key, value in spec.items() if key not in named},
    }


def container(pod: JSON, name: str) -> JSON | None:
    """The part of the Pod's shape that is one container; None where it has none of that name."""
    result = None
    for field, one in _containers(_dict(pod.get("spec"))):
        if str(one.get("name")) == name:
            result = field, one
    return None if result is None else _container(*result)


def _containers(spec: JSON) -> Iterator[tuple[str, JSON]]:
    """The containers, each with the field that it stands in."""
    for field in _CONTAINERS:
        for one in _dicts(spec.get(field)):
            yield field, one


def _container(place: str, container: JSON) -> JSON:
    shown: JSON = {"place": place}
    for field, value in container.items():
        key = _NAMED.get(field)
        if field == "name":
            continue
        if not isinstance(value, list):
            shown[field] = value
        elif field == "args":
            shown[field] = arguments(value)
        elif key is None:
            shown[field] = value
        elif field == "env":
            shown[field] = {str(one.get(key)): one.get("value", one.get("valueFrom")) for one in _dicts(value)}
        else:
            shown[field] = {str(one.get(key)): _without(one, key) for one in _dicts(value)}
    return shown


def arguments(args: Sequence[Any]) -> JSON:
    """The arguments of a command line by flag: each with its value, True for none; a list for a flag that is there more
    than once. What is not of a flag stands under an empty name."""
    result: dict[str, list[Any]] = {}
    awaiting = ""
    for argument in map(str, args):
        if _FLAG.match(argument):
            name, has_value, value = argument.partition("=")
            result.setdefault(name, []).append(value if has_value else True)
            awaiting = "" if has_value else name
        elif awaiting:
            result[awaiting][-1] = argument
            awaiting = ""
        else:
            result.setdefault("", []).append(argument)
    return {name: values if len(values) > 1 or not name else values[0] for name, values in result.items()}


def differences(old: JSON, new: JSON) -> list[Difference]:
    """What differs between two shapes. Of a Pod that only one of them injects, that is all there is to say."""
    if old["injection"] != new["injection"]:
        return [Difference(("injection",), "changed", old["injection"], new["injection"])]
    return [*_differences(old, new, ())]


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Iterator[Difference]:
    for key in (*old, *(key for key in new if key not in old)):
        # Kubernetes takes null for nothing.
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        here = (*path, key)
        if after is None:
            yield Difference(here, "removed", before, None)
        elif before is None:
            yield Difference(here, "added", None, after)
        elif isinstance(before, dict) and isinstance(after, dict) and not _is_source(here):
            yield from _differences(before, after, here)
        else:
            yield Difference(here, "changed", before, after)


def _is_source(path: Path) -> bool:
    """Whether it is one variable: its `valueFrom` is one value."""
    return len(path) == 4 and path[0] == "containers" and path[2] == "env"


def look(shape: JSON | None, path: Iterable[str], absent: Any = None) -> Any:
    """What a shape or a part of one has at a path; `absent` where there is nothing."""
    node: Any = shape
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return absent if node is None else node


def where(path: Path) -> str:
    """A path in words."""
    first, rest = path[0], path[1:]
    if first == "injection":
        return "injection"
    if first in ("annotations", "labels"):
        return f"{first[:-1]} {rest[0]}"
    if first == "spec":
        return f"Pod spec.{'.'.join(rest)}"
    words = [f"volume {rest[0]}" if first == "volumes" else rest[0]]
    if len(rest) > 1 and rest[1] in _BY_NAME:
        words += [rest[1], *filter(None, rest[2:3])]
        rest = rest[2:]
    if len(rest) > 1:
        words.append(".".join(rest[1:]))
    return " ".join(words)


def _without(node: JSON, key: str) -> JSON:
    return {name: value for name, value in node.items() if name != key}


def _dict(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[JSON]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
