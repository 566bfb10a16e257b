"""Which objects `inject` and `uninject` change, by API group and kind, and where each has its Pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from webhook.injector.subject import TEMPLATES
from webhook.kube.fields import mapping, text
from webhook.review import JSON

Path = tuple[str, ...]
Role = Literal["workload", "namespace", "service", "other"]

CORE: Final = ""
# `extensions` had workloads before Kubernetes 1.16, and manifests of that time are still about.
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (CORE,),
    "ReplicationController": (CORE,),
    "Deployment": ("apps", "extensions"),
    "ReplicaSet": ("apps", "extensions"),
    "DaemonSet": ("apps", "extensions"),
    "StatefulSet": ("apps",),
    "Job": ("batch",),
    "CronJob": ("batch",),
}
_OTHERS: Final[Mapping[str, Role]] = {"Namespace": "namespace", "Service": "service"}


@dataclass(frozen=True, slots=True)
class KnownKind:
    """What an object is: `role`, and the path of its Pod (template), () for the object itself."""

    role: Role
    template: Path = ()


_OTHER: Final = KnownKind("other")


def group_of(body: JSON) -> str:
    """An object's API group, "" for the core group."""
    group, slash, _ = text(body, "apiVersion").rpartition("/")
    return group if slash else CORE


def kind_of(body: JSON) -> KnownKind:
    """What an object is, by its group and kind: a Knative `Service` is not a Service."""
    return _known(text(body, "kind"), group_of(body))


@lru_cache(maxsize=256)
def _known(kind: str, group: str) -> KnownKind:
    if group in _GROUPS.get(kind, ()):
        return KnownKind("workload", tuple(TEMPLATES[kind.lower()].split("/")[1:]))
    return KnownKind(_OTHERS[kind]) if kind in _OTHERS and group == CORE else _OTHER


def is_list(body: JSON) -> bool:
    """Whether it is a List, or a list of one kind, such as a DeploymentList."""
    kind = text(body, "kind")
    return (kind == "List" and body.get("items") is None) or (
        kind.endswith("List") and isinstance(body.get("items"), list)
    )


def within(body: Any, path: Path = (), *, around: JSON | None = None) -> Iterator[tuple[Path, Any]]:
    """The object, or each in a list and in the lists within it, with its path. What is no object is an item as well,
    null is not. `around` is the list that the object is an item of."""
    if around is not None and isinstance(body, dict):
        body = _typed(body, around)
    if not isinstance(body, dict) or not is_list(body):
        yield path, body
        return
    for number, item in enumerate(body.get("items") or ()):
        if item is not None:
            yield from within(item, (*path, "items", str(number)), around=body)


def _typed(item: JSON, around: JSON) -> JSON:
    """An item of a list of one kind, which may leave out what it is."""
    kind = text(around, "kind").removesuffix("List")
    if not kind or "kind" in item:
        return item
    return {"apiVersion": around.get("apiVersion"), "kind": kind, **item}


def name_of(body: JSON) -> str:
    """Its name, or how a Pod's begins where the API server chooses the rest."""
    metadata = mapping(body, "metadata")
    return _as_text(metadata.get("name")) or (
        _as_text(metadata.get("generateName")) if text(body, "kind") == "Pod" else ""
    )


def _as_text(value: object) -> str:
    """A scalar of YAML where a text belongs, as `sigs.k8s.io/yaml` reads it: `name: 1e3` is "1000"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
