"""Takes out of an object what the injector, `inject` or any Linkerd has put in. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from webhook.injector.decision import DISABLED, INJECT
from webhook.injector.removal import VOLUMES, is_added
from webhook.injector.settings import PREFIXES
from webhook.injector.subject import Subject
from webhook.kube.fields import mapping, mappings, text
from webhook.meshing.kinds import KnownKind, Path, kind_of, name_of
from webhook.meshing.outcome import Outcome, joined, unsupported
from webhook.meshing.templates import PodTemplates, as_pod, placed, with_pod
from webhook.review import JSON

PREFIX: Final = "linkerd.io/"
_NO_TEMPLATES: Final = PodTemplates()

# Marks by which Linkerd finds what belongs to it: not put there by an injection, and not taken away with one.
_KEPT: Final = frozenset(
    f"{PREFIX}{name}" for name in ("extension", "cni-resource", "is-control-plane", "control-plane-component")
)
# A component of the control plane is injected when it is installed, and keeps its marks.
COMPONENT: Final = f"{PREFIX}control-plane-component"


def uninjected(body: JSON, *, everything: bool = False, templates: PodTemplates = _NO_TEMPLATES) -> Outcome:
    """The object without it. `everything`: without the user's `config.linkerd.io/*` annotations, too.

    `templates` is where other kinds have their Pod templates. Raises `Refusal` for a wrong type in a field that is
    read.
    """
    known = kind_of(body)
    kind, name = text(body, "kind").lower(), name_of(body)
    if known.role == "other":
        outcomes = []
        for path in templates.within(body):
            pod = uninjected(as_pod(body, path), everything=everything)
            outcomes.append(pod)
            body = with_pod(body, path, pod.body) if pod.verb != "skipped" else body
        return joined(kind, name, body, outcomes) if outcomes else unsupported(body)
    Subject.of(kind, body)
    out, touched = without(body, known, everything=everything)
    if not touched:
        return Outcome(kind, name, out, "skipped", "nothing of Linkerd's is in it")
    return Outcome(kind, name, out, "uninjected")


def without(body: JSON, known: KnownKind, *, everything: bool = False) -> tuple[JSON, bool]:
    """The object without it, and whether that was more than labels."""
    out, touched = dict(body), False
    if known.role != "workload":
        return _metadata_at(out, (), everything)
    for path in dict.fromkeys(((), known.template)):
        out, more = _metadata_at(out, path, everything)
        touched = touched or more
    spec = mapping(out, *known.template, "spec")
    kept = _spec(spec)
    if kept is not spec:
        touched = touched or any(len(kept.get(key, ())) != len(spec.get(key, ())) for key in _CONTAINERS)
        out = placed(out, (*known.template, "spec"), lambda _: kept)
    return out, touched


_CONTAINERS: Final = ("containers", "initContainers")


def _spec(spec: JSON) -> JSON:
    """A Pod's spec without it; the same object where nothing of it is there."""
    first, rest, volumes = (mappings(spec, key) for key in ("initContainers", "containers", "volumes"))
    if not (
        any(is_added(item, first=True) for item in first)
        or any(is_added(item, first=False) for item in rest)
        or any(text(item, "name") in VOLUMES for item in volumes)
    ):
        return spec
    out = dict(spec)
    _keep(out, "containers", lambda item: not is_added(item, first=False))
    _keep(out, "initContainers", lambda item: not is_added(item, first=True))
    _keep(out, "volumes", lambda item: text(item, "name") not in VOLUMES)
    return out


def _keep(spec: JSON, key: str, is_kept: Callable[[JSON], bool]) -> None:
    """Keep these items of a list; a list of which none is left goes, as it came with the first one."""
    items = spec.get(key)
    if not isinstance(items, list):
        return
    kept = [item for item in items if not isinstance(item, dict) or is_kept(item)]
    if kept or not items:
        spec[key] = kept
    else:
        del spec[key]


def _metadata_at(body: JSON, path: Path, everything: bool) -> tuple[JSON, bool]:
    metadata = mapping(body, *path, "metadata")
    labels = mapping(metadata, "labels")
    if not (_has_own(labels) or _has_own(mapping(metadata, "annotations"))) or COMPONENT in labels:
        return body, False
    out = dict(metadata)
    annotations = _thinned(out, "annotations", lambda key, value: _is_mark(key, value) or (everything and _is_own(key)))
    _thinned(out, "labels", _is_mark)
    if out == metadata:
        return body, False
    if not out:
        return placed(body, path, lambda above: {key: value for key, value in above.items() if key != "metadata"}), True
    return placed(body, (*path, "metadata"), lambda _: out), annotations


def _has_own(entries: JSON) -> bool:
    # One search, as most maps have nothing of Linkerd's.
    return PREFIX in " ".join(entries)


def _thinned(metadata: JSON, key: str, is_gone: Callable[[str, Any], bool]) -> bool:
    """Take entries out of a map, and the map with its last one; whether there were any."""
    entries = metadata.get(key)
    if not isinstance(entries, dict):
        return False
    kept = {name: value for name, value in entries.items() if not is_gone(name, value)}
    if len(kept) == len(entries):
        return False
    if kept:
        metadata[key] = kept
    else:
        del metadata[key]
    return True


def _is_mark(key: str, value: Any) -> bool:
    return key.startswith(PREFIX) and key not in _KEPT and not (key == INJECT and value == DISABLED)


def _is_own(key: str) -> bool:
    return key.startswith(PREFIXES)


def has_udp(spec: JSON) -> bool:
    """Whether a container has a port of UDP, which the proxy does not handle."""
    return any(
        text(port, "protocol") == "UDP" for one in mappings(spec, "containers") for port in mappings(one, "ports")
    )
