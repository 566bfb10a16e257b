"""A container as the API server stores it: with the defaults of Kubernetes, and quantities in one form. Pure.

The defaults are those of `k8s.io/kubernetes/pkg/apis/core/v1/defaults.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from webhook.grammar import GrammarError, parse_quantity
from webhook.kube.fields import mapping, mappings, text
from webhook.kube.interface import JSON

_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE: Final = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
# Numbers and switches that the API server leaves out where they are 0 or false.
_OMITTED: Final = frozenset(("initialDelaySeconds", "readOnly", "stdin", "stdinOnce", "tty"))


def stored(container: JSON, limit_ranges: Iterable[JSON] = ()) -> JSON:
    """A container with what the API server adds to it where nothing is written, and without what is empty.

    `limit_ranges` are the LimitRanges of its Namespace, whose defaults its resources get. The container itself is left
    as it is.
    """
    out: JSON = {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": _pull_policy(text(container, "image")),
        **{key: value for key, value in container.items() if not _is_empty(key, value)},
    }
    if "ports" in out:
        out["ports"] = [{"protocol": "TCP", **_bare(port)} for port in mappings(out, "ports")]
    if "env" in out:
        out["env"] = [_variable(variable) for variable in mappings(out, "env")]
    if "volumeMounts" in out:
        out["volumeMounts"] = [_bare(mount) for mount in mappings(out, "volumeMounts")]
    for key in _PROBES:
        if key in out:
            out[key] = _probe(mapping(out, key))
    if "lifecycle" in out:
        out["lifecycle"] = {key: _handler(value) for key, value in mapping(out, "lifecycle").items()}
    if "securityContext" in out:
        out["securityContext"] = _security(mapping(out, "securityContext"))
    resources = with_resources(mapping(container, "resources"), limit_ranges)
    out.pop("resources", None)
    if resources:
        out["resources"] = resources
    return {key: value for key, value in out.items() if not _is_empty(key, value)}


def with_resources(resources: JSON, limit_ranges: Iterable[JSON] = ()) -> JSON:
    """Limits and requests as they are in force: a limit alone is also the request, then come the LimitRanges' defaults.

    Quantities are texts in one form, so that `1` and `1000m` are the same.
    """
    limits, requests = _amounts(mapping(resources, "limits")), _amounts(mapping(resources, "requests"))
    requests = {**limits, **requests}
    for limit_range in limit_ranges:
        for item in mappings(limit_range, "spec", "limits"):
            if text(item, "type") == "Container":
                limits = {**_amounts(mapping(item, "default")), **limits}
                requests = {**_amounts(mapping(item, "defaultRequest")), **requests}
    return {key: amounts for key, amounts in (("limits", limits), ("requests", requests)) if amounts}


def _amounts(quantities: Mapping[str, Any]) -> dict[str, str]:
    return {kind: quantity(value) for kind, value in quantities.items() if value is not None}


def quantity(value: object) -> str:
    """A quantity in one form, whichever way it is written; what is not one stays as it is."""
    written = value if isinstance(value, str) else str(value)
    try:
        return format(parse_quantity(written).value.normalize(), "f")
    except (GrammarError, ArithmeticError):
        return written


def _pull_policy(image: str) -> str:
    """The API server's default: an image without a tag, or with `latest`, is always pulled."""
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    return "Always" if last.partition(":")[2] in ("", "latest") else "IfNotPresent"


def _variable(entry: JSON) -> JSON:
    entry = {key: value for key, value in entry.items() if value not in (None, "")}
    source = mapping(entry, "valueFrom", "fieldRef")
    if source:
        entry["valueFrom"] = {"fieldRef": {"apiVersion": "v1", **source}}
    return entry


def _probe(probe: JSON) -> JSON:
    return _bare({**_PROBE, **{key: value for key, value in _handler(probe).items() if value is not None}})


def _handler(handler: object) -> Any:
    if not isinstance(handler, dict) or not isinstance(handler.get("httpGet"), dict):
        return handler
    get = handler["httpGet"]
    return {**handler, "httpGet": {"path": "/", "scheme": "HTTP", **_bare(get)}}


def _security(context: JSON) -> JSON:
    context = _bare(context)
    given = _bare(mapping(context, "capabilities"))
    context.pop("capabilities", None)
    return {**context, "capabilities": given} if given else context


def _bare(entries: JSON) -> JSON:
    return {key: value for key, value in entries.items() if not _is_empty(key, value)}


def _is_empty(key: str, value: object) -> bool:
    """Whether the API server would not store it: null, an empty text, list or object, and what is like them."""
    return value in (None, "", [], {}) or (key in _OMITTED and value == 0)
