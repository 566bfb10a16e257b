"""Counting Pods by their metadata."""

import json
from collections.abc import Mapping

import pytest

from webhook.injector.decision import DISABLE_PRESENT, ENABLE_ABSENT, INJECT, INVALID_AT_WORKLOAD
from webhook.injector.names import CONTROL_PLANE, PROXY_VERSION, TRUST_ROOT
from webhook.kube.objects import Namespace
from webhook.statuspage.mesh_counts import ASKED, Configured, MeshCounter, PodMetadata, page_of

MESHED = {CONTROL_PLANE: "linkerd"}
ASKS = Namespace("shop", {INJECT: "enabled"}, {})


def counted(*pods: PodMetadata, namespaces: Mapping[str, Namespace] | None = None) -> MeshCounter:
    """The counts of Pods, where the proxy is to be edge-26.8.3 with the trust anchors `aa`."""
    counter = MeshCounter(lambda: namespaces or {"shop": ASKS}, Configured("edge-26.8.3", "aa"))
    for pod in pods:
        counter.add(pod)
    return counter


def test_meshed_pods_are_told_by_the_label_that_the_injector_sets() -> None:
    counter = counted(PodMetadata("shop", labels=MESHED), PodMetadata("shop"), PodMetadata("kitchen", labels=MESHED))
    assert [(name, count.meshed, count.pods) for name, count in counter.counts.items()] == [
        ("shop", 1, 2),
        ("kitchen", 1, 1),
    ]
    assert counter.pods == 3


@pytest.mark.parametrize(
    ("namespace", "annotations", "reason"),
    [
        ({}, None, ENABLE_ABSENT),
        ({INJECT: "enabled"}, {INJECT: "disabled"}, DISABLE_PRESENT),
        ({INJECT: "enabled"}, {INJECT: "Enabled"}, INVALID_AT_WORKLOAD),
        ({INJECT: "enabled"}, None, ASKED),
        ({}, {INJECT: "ingress"}, ASKED),
    ],
)
def test_others_are_counted_by_the_injector_s_reason(
    namespace: dict[str, str], annotations: dict[str, str] | None, reason: str
) -> None:
    counter = counted(PodMetadata("shop", annotations), namespaces={"shop": Namespace("shop", namespace, {})})
    assert counter.counts["shop"].reasons == {reason: 1}


def test_a_namespace_that_is_not_known_yet_asks_for_nothing() -> None:
    assert counted(PodMetadata("new")).counts["new"].reasons == {ENABLE_ABSENT: 1}


def test_pods_of_the_same_reason_are_counted_together() -> None:
    assert counted(*[PodMetadata("shop")] * 3).counts["shop"].reasons == {ASKED: 3}


CURRENT = {PROXY_VERSION: "edge-26.8.3", TRUST_ROOT: "aa"}


# What proxies have, and whether that is another version and other trust anchors than configured.
PROXIES = [
    (CURRENT, (0, 0)),
    ({**CURRENT, PROXY_VERSION: "edge-26.7.1"}, (1, 0)),
    ({**CURRENT, TRUST_ROOT: "bb"}, (0, 1)),
    # A line that does not write them, or a Pod that asks for a version of its own.
    ({PROXY_VERSION: "edge-26.8.3"}, (0, 0)),
    ({}, (0, 0)),
    ({**CURRENT, PROXY_VERSION: "dev", "config.linkerd.io/proxy-version": "dev"}, (0, 0)),
    ({**CURRENT, "config.linkerd.io/proxy-version": "dev"}, (1, 0)),
]


@pytest.mark.parametrize(("annotations", "other"), PROXIES)
def test_a_proxy_of_another_version_or_with_other_trust_anchors_is_told(
    annotations: dict[str, str], other: tuple[int, int]
) -> None:
    count = counted(PodMetadata("shop", annotations, MESHED)).counts["shop"]
    assert (count.meshed, count.other_version, count.other_anchors) == (1, *other)


def test_proxies_of_another_version_or_with_other_trust_anchors_are_counted() -> None:
    count = counted(*(PodMetadata("shop", annotations, MESHED) for annotations, _ in PROXIES)).counts["shop"]
    assert (count.meshed, count.other_version, count.other_anchors) == (7, 2, 1)


def test_a_page_is_decoded_with_what_counts_alone() -> None:
    body = {
        "kind": "PartialObjectMetadataList",
        "metadata": {"resourceVersion": "7", "continue": "next"},
        "items": [{"metadata": {"namespace": "shop", "labels": MESHED, "managedFields": [{"fieldsV1": {}}]}}],
    }
    page = page_of(json.dumps(body).encode())
    assert page.metadata.following == "next"
    assert page.items is not None
    assert page.items[0].metadata == PodMetadata("shop", None, MESHED)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items": 5}', b'{"items": [{}]}', b'{"items": [{"metadata": 1}]}'])
def test_what_is_not_a_page_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        page_of(body)
