"""A Pod as it was before its injection: without what the injector of any release has put into it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from webhook.injector import names
from webhook.injector.names import CONTROL_PLANE, CREATED_BY, PROXY, PROXY_VERSION, TRUST_ROOT
from webhook.injector.owner import OWNER_LABELS, ROOT_LABELS, WORKLOAD_NAMESPACE
from webhook.kube.fields import mapping, mappings, sequence, text, texts
from webhook.review import JSON

# The init container that does nothing has a name that others may have given one of theirs.
_PAUSE: Final = "/pause:"
_FIRST: Final = frozenset((names.INIT, names.VALIDATOR))
_CONTAINERS: Final = frozenset((PROXY, names.DEBUG))
# Containers of any release that are put into Pods, and are compared with what a Pod would get now.
ADDED: Final = frozenset((*_FIRST, *_CONTAINERS, names.NOOP))

VOLUMES: Final = frozenset((names.XTABLES_LOCK, names.IDENTITY, names.TOKEN, names.POD_INFO))

# The last one is of releases before 2.12, whose Pods may still run.
ANNOTATIONS: Final = frozenset((CREATED_BY, PROXY_VERSION, TRUST_ROOT, "linkerd.io/identity-mode"))
LABELS: Final = ROOT_LABELS.union(
    (CONTROL_PLANE, WORKLOAD_NAMESPACE), (f"linkerd.io/proxy-{kind}" for kind in OWNER_LABELS)
)


def is_meshed(pod: JSON) -> bool:
    """Whether a Pod has Linkerd's proxy, also as a native sidecar."""
    spec = mapping(pod, "spec")
    return any(
        text(mapping, "name") == PROXY for key in ("containers", "initContainers") for mapping in mappings(spec, key)
    )


def is_marked(pod: JSON) -> bool:
    """Whether a Pod was injected once: it has a label or annotation that only an injector writes."""
    metadata = mapping(pod, "metadata")
    labels, annotations = texts(metadata, "labels"), texts(metadata, "annotations")
    return CONTROL_PLANE in labels or CREATED_BY in annotations or PROXY_VERSION in annotations


def is_added(container: JSON, *, first: bool) -> bool:
    """Whether a container is one that an injector adds; `first` for those among the init containers."""
    name = text(container, "name")
    if not first:
        return name in _CONTAINERS
    return name in _FIRST or name == PROXY or (name == names.NOOP and _PAUSE in text(container, "image"))


def removed(
    pod: JSON, template_annotations: Mapping[str, str] | None = None, inheritable: frozenset[str] = frozenset()
) -> JSON:
    """The Pod without the containers, volumes, labels and annotations that an injector of any release added.

    The Pod itself is left as it is. `template_annotations` are those of the Pod template from which it was made, None
    where they are not known: then all of the Pod's annotations count as its own. Where they are known, those
    `inheritable` annotations (`Injector.inheritable`) go that the template does not have: the Pod took them over from
    its Namespace, and would take over those that stand there now. Fields of wrong types stay as they are.
    """
    metadata, spec = mapping(pod, "metadata"), mapping(pod, "spec")
    annotations = {
        key: value
        for key, value in mapping(metadata, "annotations").items()
        if key not in ANNOTATIONS
        and (template_annotations is None or key in template_annotations or key not in inheritable)
    }
    labels = {key: value for key, value in mapping(metadata, "labels").items() if key not in LABELS}
    out = {**pod, "metadata": {**metadata, "annotations": annotations, "labels": labels}, "spec": {**spec}}
    for key, first in (("containers", False), ("initContainers", True)):
        if isinstance(spec.get(key), list):
            out["spec"][key] = [
                container for container in sequence(spec, key) if not _is_linkerds(container, first=first)
            ]
    if isinstance(spec.get("volumes"), list):
        out["spec"]["volumes"] = [volume for volume in sequence(spec, "volumes") if text(volume, "name") not in VOLUMES]
    return out


def _is_linkerds(container: object, *, first: bool) -> bool:
    return isinstance(container, dict) and is_added(container, first=first)
