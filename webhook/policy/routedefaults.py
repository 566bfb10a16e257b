"""The defaults of a route's CRD, which the API server fills in before it sends a route to a webhook.

Newer releases of Linkerd read a route without them as well. Releases up to edge-25.2.2 do not: a manifest has to be
checked as it will be after the API server has filled them in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from webhook.mesh.releases import Line
from webhook.policy.objectreferences import POLICY, fold

_ROUTES: Final = ("httproute", "grpcroute")


def with_defaults(group: str, kind: str, body: Any, line: Line) -> Any:
    """An object as the API server would send it, as far as the release line cannot read it otherwise.

    `group` and `kind` are the object's; `body` is any JSON value, which is not changed. All but HTTPRoutes and
    GRPCRoutes are returned as they are.
    """
    if line.has("policy/gateway-structures") or fold(kind) not in _ROUTES or not isinstance(body, dict):
        return body
    spec = _changed(body.get("spec"), {"rules": _for_each_item(_rule)})
    if fold(group) == POLICY and line.has("policy/HTTPRoute.servers-and-services-only"):
        spec = _changed(spec, {"parentRefs": _for_each_item(lambda parent: _filled(parent, "group", POLICY))})
    return body if spec is body.get("spec") else {**body, "spec": spec}


def _rule(rule: Any) -> Any:
    return _changed(rule, {"matches": _for_each_item(_match)})


def _match(match: Any) -> Any:
    exact = _for_each_item(lambda one: _filled(one, "type", "Exact"))
    return _changed(match, {"path": _path, "headers": exact, "queryParams": exact})


def _path(path: Any) -> Any:
    return _filled(_filled(path, "type", "PathPrefix"), "value", "/")


def _for_each_item(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda items: [change(item) for item in items] if isinstance(items, list) else items


def _changed(value: Any, changes: dict[str, Callable[[Any], Any]]) -> Any:
    """An object with some fields changed, where it has them."""
    if not isinstance(value, dict):
        return value
    return {name: changes[name](item) if name in changes else item for name, item in value.items()}


def _filled(value: Any, name: str, default: str) -> Any:
    """An object with a default for a field that it does not have, or that is null."""
    if not isinstance(value, dict) or value.get(name) is not None:
        return value
    return {**value, name: default}
