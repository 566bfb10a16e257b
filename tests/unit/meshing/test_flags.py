"""Flags become annotations, where they ask for something else than the mesh."""

from __future__ import annotations

import pytest

from tests.unit.meshing.texts import injector
from webhook.meshing.flags import FLAGS, FlagError, cores, of_ingress, of_pods, overrides

PREFIX = "config.linkerd.io/"


@pytest.mark.parametrize(
    ("flag", "value", "annotation"),
    [
        ("proxy-log-level", "debug", "proxy-log-level"),
        ("inbound-port", "4999", "inbound-port"),
        ("skip-inbound-ports", "22,3306-3310", "skip-inbound-ports"),
        ("proxy-cpu-request", "100m", "proxy-cpu-request"),
        ("proxy-memory", "64Mi", "proxy-memory-request"),
        ("enable-external-profiles", "true", "enable-external-profiles"),
        ("native-sidecar", "false", "proxy-enable-native-sidecar"),
        ("require-identity-on-inbound-ports", "8080", "proxy-require-identity-inbound-ports"),
    ],
)
def test_a_flag_becomes_its_annotation(flag: str, value: str, annotation: str) -> None:
    assert overrides(injector(), {flag: value}) == {f"{PREFIX}{annotation}": value}


@pytest.mark.parametrize(
    ("flag", "value"),
    [("inbound-port", "4143"), ("native-sidecar", "true"), ("proxy-gid", "-1"), ("proxy-uid", "2102")],
)
def test_the_meshs_own_value_needs_no_annotation(flag: str, value: str) -> None:
    assert overrides(injector(), {flag: value}) == {}


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("inbound-port", "http"),
        ("inbound-port", "99999"),
        ("proxy-cpu-request", "a lot"),
        ("proxy-memory-limit", "-1Gi"),
        ("wait-before-exit-seconds", "-1"),
        ("default-inbound-policy", "everybody"),
        ("skip-outbound-ports", "http"),
        ("proxy-version", "a b"),
        ("proxy-image", "a b"),
        ("image-pull-policy", "Sometimes"),
        ("enable-external-profiles", "maybe"),
    ],
)
def test_a_value_that_no_proxy_would_start_with_is_refused(flag: str, value: str) -> None:
    with pytest.raises(FlagError) as caught:
        overrides(injector(), {flag: value})
    assert str(caught.value).startswith(f'--{flag} "{value}"')


def test_images_are_taken_from_another_registry() -> None:
    moved = overrides(injector(), {}, "registry.example.org/linkerd/")
    assert moved == {
        f"{PREFIX}proxy-image": "registry.example.org/linkerd/proxy",
        f"{PREFIX}debug-image": "registry.example.org/linkerd/debug",
    }
    assert overrides(injector(), {"proxy-image": "example.org/mine/proxy"}, "cr.l5d.io/linkerd") == {}


def test_ingress_mode_is_one_value_of_the_annotation_to_inject() -> None:
    assert of_ingress(injector(), ingress=True) == {"linkerd.io/inject": "ingress"}
    assert of_ingress(injector(), ingress=False) == {}


def test_pods_alone_get_the_debug_container_and_a_duration_as_go_writes_it() -> None:
    assert of_pods(debug=True, close_wait="90m") == {
        f"{PREFIX}enable-debug-sidecar": "true",
        f"{PREFIX}close-wait-timeout": "1h30m0s",
    }
    assert of_pods(debug=False, close_wait="0s") == {}
    for wrong in ("30", "-1s"):
        with pytest.raises(FlagError):
            of_pods(debug=False, close_wait=wrong)


def test_the_deprecated_flag_for_cpu_does_not_ask_for_threads() -> None:
    assert cores(injector(), {"proxy-cpu-request": "3"}) == {}
    assert cores(injector(), {"proxy-cpu": "3"}) == {"workers_minimum": injector().defaults.workers_minimum}
    assert cores(injector(), {"proxy-cpu": "1", "proxy-cpu-request": "3"}) == {"workers_minimum": 3}


def test_every_deprecated_flag_names_another() -> None:
    assert {flag.name for flag in FLAGS if flag.instead} == {"proxy-cpu", "proxy-memory", "proxy-version"}
