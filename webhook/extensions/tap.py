"""What the viz extension adds to the proxy, so that `linkerd viz tap` may look into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from webhook.extensions.proxy import JSON, PROXY, Proxy, annotate, append, is_true

ENABLED: Final = "viz.linkerd.io/tap-enabled"
DISABLED: Final = "viz.linkerd.io/disable-tap"
VARIABLE: Final = "LINKERD2_PROXY_TAP_SVC_NAME"


def why_not(pod: Mapping[str, Any], namespace: Mapping[str, Any]) -> str:
    """Why a Pod with these annotations, in a Namespace with these, gets nothing; "" if it gets tap."""
    if is_true(pod, ENABLED):
        return "tap_enabled_already"
    if is_true(pod, DISABLED):
        return "tap_disabled_by_pod"
    return "tap_disabled_by_namespace" if is_true(namespace, DISABLED) else ""


def patch(pod: Mapping[str, Any], proxy: Proxy, service: str) -> list[JSON]:
    """The operations for a Pod with the proxy. `service` is the identity of the tap service. Raises `BadPodError`."""
    return [annotate(pod, ENABLED), *append(proxy.path, proxy.container, "env", [_variable(service)])]


def with_tap(injection: Sequence[JSON], service: str) -> list[JSON]:
    """The operations that inject the proxy into a Pod, and tap with it.

    The injection adds annotations and the proxy's container, of which it is the only one to know the place; what it
    holds is not changed.
    """
    operations = [_tapped(operation, service) for operation in injection]
    return [*operations, annotate({"metadata": {"annotations": {"linkerd.io/": ""}}}, ENABLED)]


def _tapped(operation: JSON, service: str) -> JSON:
    """An operation; the one that adds the proxy adds the variable with it."""
    value = operation["value"]
    if isinstance(value, list):
        return {**operation, "value": [_container(item, service) for item in value]}
    return {**operation, "value": _container(value, service)}


def _container(value: Any, service: str) -> Any:
    if not isinstance(value, dict) or value.get("name") != PROXY or "image" not in value:
        return value
    return {**value, "env": [*(value.get("env") or ()), _variable(service)]}


def _variable(service: str) -> JSON:
    return {"name": VARIABLE, "value": service}
