"""What to do about a change, where there is something to do."""

from __future__ import annotations

from typing import Any, Final

from webhook.injector.shapes import Difference

_NATIVE: Final = "have Kubernetes 1.29 or newer on all nodes"
_NOT_NATIVE: Final = (
    "expect Jobs not to end while their proxy runs: have them end it, or annotate linkerd.io/inject: disabled"
)
_RESOURCES: Final = "check that ResourceQuotas and LimitRanges of the Namespaces allow it"
_USER: Final = "where a policy restricts users and groups of Pods, allow it"


def about(change: Difference) -> str:
    """A sentence without its end, empty where there is nothing to do."""
    path, new = change.path, change.new
    if path[0] == "injection":
        return _about_injection(str(change.old), str(new))
    if path[0] != "containers":
        return ""
    name, *rest = path[1:]
    if not rest:
        return _about_container(name, change)
    match rest:
        case ["place"]:
            return _NATIVE if new == "initContainers" else _NOT_NATIVE
        case ["image"]:
            return _about_image(change)
        case ["resources", *_]:
            return _RESOURCES if new is not None else ""
        case ["securityContext", ("runAsGroup" | "runAsUser" | "runAsNonRoot"), *_]:
            return _USER if new is not None else ""
        case ["securityContext", "privileged"]:
            return "allow privileged init containers in the Namespaces" if new else ""
    return ""


def _about_injection(old: str, new: str) -> str:
    if new.startswith("refused: "):
        return "correct the workload before the upgrade: no Pod of it is created after it"
    if old == "injected":
        return "the Pod has no proxy after its next restart: find out whether that is meant"
    return ""


def _about_container(name: str, change: Difference) -> str:
    if change.kind == "added" and name == "linkerd-network-validator":
        return "have the linkerd-cni plugin run on each node before the Pod is restarted"
    return ""


def _about_image(change: Difference) -> str:
    old, new = _repository(change.old), _repository(change.new)
    if old == new:
        return ""
    return f"have {new} where Pods get their images (mirrors, allowed images)"


def _repository(image: Any) -> str:
    """An image without its tag."""
    text = str(image).partition("@")[0]
    host, slash, last = text.rpartition("/")
    return f"{host}{slash}{last.partition(':')[0]}"


def annotation(*, begins: bool, is_present: bool) -> str:
    """About an annotation that begins or ceases to count."""
    if begins:
        return "it has had no effect so far: check that its value is still meant" if is_present else ""
    return "remove it" if is_present else "where a Pod or Namespace has it, remove it"
