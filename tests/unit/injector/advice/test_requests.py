"""Requests above limits: the API server refuses such a Pod, which Linkerd makes all the same, so it is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import (
    CONFIG,
    LINES,
    STABLE,
    decide,
    inject,
    injector,
    mesh,
    pod,
    proxy_of,
)
from webhook.advice import about
from webhook.injector.advice.objects import Advisor

HA: Any = {
    "proxy__resources": {
        "cpu": {"request": "100m", "limit": ""},
        "memory": {"request": "20Mi", "limit": "250Mi"},
    }
}
END = "so the API server refuses the Pod: write"


def outcome(
    annotations: dict[str, str], namespace: dict[str, str] | None = None, line: str = LINES[0], **values: Any
) -> tuple[Any, list[str]]:
    """The proxy's resources, and the warnings."""
    using = injector(line, **values)
    body = pod(annotations)
    warnings = decide(body, using, namespace=namespace).warnings
    return proxy_of(inject(body, using, namespace=namespace)).get("resources"), warnings


@pytest.mark.parametrize("line", LINES)
def test_of_two_annotations_the_request_is_told(line: str) -> None:
    resources, warnings = outcome({f"{CONFIG}proxy-cpu-request": "1", f"{CONFIG}proxy-cpu-limit": "100m"}, line=line)
    assert resources == {"limits": {"cpu": "100m"}, "requests": {"cpu": "1"}}
    assert warnings == [
        f'{CONFIG}proxy-cpu-request is "1", above the CPU limit 100m of proxy-cpu-limit, {END} 100m or less '
        "(inject-request-over-limit)"
    ]


@pytest.mark.parametrize("line", LINES)
def test_a_limit_below_the_request_of_the_values_is_told(line: str) -> None:
    resources, warnings = outcome({f"{CONFIG}proxy-memory-limit": "16Mi"}, line=line, **HA)
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == ("20Mi", "16Mi")
    assert warnings == [
        f'{CONFIG}proxy-memory-limit is "16Mi", below the memory request 20Mi of Linkerd\'s values, {END} 20Mi or more '
        "(inject-request-over-limit)"
    ]


@pytest.mark.parametrize("own", ["request", "limit"])
def test_the_pods_own_annotation_is_told_before_its_namespaces(own: str) -> None:
    size = f"{CONFIG}proxy-ephemeral-storage"
    values = {"request": "1Gi", "limit": "1Mi"}
    (other,) = {*values} - {own}
    resources, warnings = outcome({f"{size}-{own}": values[own]}, {f"{size}-{other}": values[other]})
    assert resources == {"limits": {"ephemeral-storage": "1Mi"}, "requests": {"ephemeral-storage": "1Gi"}}
    (warning,) = warnings
    side = "above" if own == "request" else "below"
    against = f"{side} the ephemeral storage {other} {values[other]} of Namespace shop"
    assert warning.startswith(f'{size}-{own} is "{values[own]}", {against}, {END}')
    assert len(warning) <= 256


def test_two_annotations_of_the_namespace_are_told_as_its() -> None:
    size = f"{CONFIG}proxy-ephemeral-storage"
    _resources, (warning,) = outcome({}, {f"{size}-request": "1Gi", f"{size}-limit": "1Mi"})
    assert warning.startswith(
        f'{size}-request on Namespace shop is "1Gi", above the ephemeral storage limit 1Mi of '
        f"proxy-ephemeral-storage-limit, {END} 1Mi or less"
    )


def test_one_pair_is_told_once_though_both_are_no_good_beside_the_values() -> None:
    annotations = {f"{CONFIG}proxy-memory-limit": "16Mi", f"{CONFIG}proxy-memory-request": "300Mi"}
    resources, warnings = outcome(annotations, **HA)
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == ("300Mi", "16Mi")
    assert len(warnings) == 1


@pytest.mark.parametrize("request_", ["100m", "0.1", "50m"])
def test_a_request_at_its_limit_or_below_is_taken(request_: str) -> None:
    resources, warnings = outcome({f"{CONFIG}proxy-cpu-request": request_, f"{CONFIG}proxy-cpu-limit": "100m"})
    assert resources == {"limits": {"cpu": "100m"}, "requests": {"cpu": request_}}
    assert warnings == []


def test_contradictory_values_are_told_when_they_are_loaded_and_break_nothing() -> None:
    resources: dict[str, Any] = {"cpu": {"request": "1", "limit": "500m"}, "memory": {"request": "x", "limit": "1Mi"}}
    (warning,) = mesh(proxy__resources=resources).warnings
    assert warning == (
        "values: proxy.resources.cpu.request is 1, above the limit 500m, so the API server refuses every injected Pod: "
        "write 500m or less, or raise the limit"
    )
    assert decide(pod(), injector(proxy__resources=resources)).decision == "injected"
    mended, _ = outcome({f"{CONFIG}proxy-cpu-limit": "2"}, proxy__resources=resources)
    assert mended["limits"]["cpu"] == "2"


def test_the_init_containers_own_resources_count_where_it_has_them() -> None:
    resources = {"cpu": {"request": "1", "limit": "500m"}, "memory": {}}
    assert "proxyInit.resources.cpu.request" in mesh(STABLE, proxyInit__resources=resources).warnings[0]
    assert mesh(proxyInit__resources=resources).warnings == []


def test_a_namespace_is_told_of_its_own_two_annotations_once() -> None:
    annotations = {f"{CONFIG}proxy-cpu-request": "1", f"{CONFIG}proxy-cpu-limit": "100m"}
    body = {"kind": "Namespace", "metadata": {"name": "shop", "annotations": annotations}}
    (warnings,) = about(Advisor(injector()), "namespace", body, (), None)
    assert warnings.rule.id == "inject-request-over-limit"
    assert warnings.path == ("metadata", "annotations", f"{CONFIG}proxy-cpu-request")
