"""The injectors of the extensions: whom they change, and tap beside the proxy in one answer."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest

from tests.unit.injector.builders import injector, pod, request
from webhook.cluster.offline import OfflineCluster
from webhook.extensions import tap
from webhook.extensions.jaeger import Collector
from webhook.mesh.releases import line
from webhook.review import JSON
from webhook.webhooks.interface import Current
from webhook.webhooks.jaeger_injector import JaegerInjector
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.tap_injector import TapInjector

SHOP: JSON = {"kind": "Namespace", "metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}}
MESHED: JSON = {"kind": "Pod", "spec": {"containers": [{"name": "linkerd-proxy"}]}}
CLUSTER = OfflineCluster([SHOP])


def taps(service: str = "tap") -> TapInjector:
    return TapInjector(lambda: line("edge-26.8"), CLUSTER, service)


def traces(address: str) -> JaegerInjector:
    return JaegerInjector(lambda: line("version-2.18"), CLUSTER, Collector(address, "collector"))


@pytest.mark.parametrize(
    ("webhook", "reason"), [(taps(""), "no_tap_service_name"), (traces(""), "no_collector_address")]
)
async def test_without_its_flag_an_injector_changes_nothing(webhook: Any, reason: str) -> None:
    answer = await webhook.answer(request(MESHED))
    assert (answer.allowed, answer.patch, answer.reason) == (True, None, reason)


@pytest.mark.parametrize("webhook", [taps(), traces("c:1")])
async def test_a_pod_is_changed_once_and_one_without_the_proxy_never(webhook: Any) -> None:
    answer = await webhook.answer(request(MESHED))
    after = jsonpatch.apply_patch(MESHED, list(answer.patch))
    again = await webhook.answer(request(after))
    assert (again.allowed, again.patch) == (True, None)
    assert (await webhook.answer(request(pod()))).reason == "no_proxy"


async def test_the_proxy_injector_adds_tap_in_one_answer_and_leaves_nothing_to_the_tap_injector() -> None:
    both = ProxyInjector(Current(injector()), CLUSTER, tap_service="tap")
    alone = ProxyInjector(Current(injector()), CLUSTER)
    body = pod()
    together = jsonpatch.apply_patch(body, list((await both.answer(request(body))).patch or ()))
    first = jsonpatch.apply_patch(body, list((await alone.answer(request(body))).patch or ()))
    second = jsonpatch.apply_patch(first, list((await taps().answer(request(first))).patch or ()))
    assert together == second
    assert (await taps().answer(request(together))).reason == "tap_enabled_already"


async def test_a_pod_that_switches_tap_off_is_injected_without_it() -> None:
    both = ProxyInjector(Current(injector()), CLUSTER, tap_service="tap")
    body = pod()
    body.setdefault("metadata", {}).setdefault("annotations", {})[tap.DISABLED] = "true"
    after = jsonpatch.apply_patch(body, list((await both.answer(request(body))).patch or ()))
    assert tap.ENABLED not in after["metadata"]["annotations"]
