"""An injector is whoever the API server asks about new Pods, and a selector that keeps it away is named."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.unit.diagnosis.dataplane.plane import CONFIGURATION, namespace, webhooks
from webhook.diagnosis.dataplane.callers import injector_webhooks, shut_out
from webhook.install.configurations import INJECTOR_WEBHOOK
from webhook.mesh.spared import ADMISSION
from webhook.review import JSON


def changed(**fields: Any) -> JSON:
    """The configuration, its webhook with other fields."""
    body = deepcopy(CONFIGURATION)
    body["webhooks"][0] |= fields
    return body


def service(name: str, within: str = "linkerd") -> JSON:
    """A clientConfig."""
    return {"service": {"namespace": within, "name": name}}


ALL = {"apiGroups": ["*"], "operations": ["*"], "resources": ["*"]}
PODS = {"apiGroups": [""], "operations": ["CREATE"], "resources": ["services", "pods"]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "x", "clientConfig": service("linkerd-proxy-injector")},
        {"name": INJECTOR_WEBHOOK, "clientConfig": {"url": "https://198.18.0.1:8443/proxy-injector"}},
        {"rules": [PODS]},
        {"rules": [{}, ALL]},
    ],
)
def test_a_webhook_that_injects(fields: JSON) -> None:
    assert len(webhooks(changed(**fields))) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"rules": []},
        {"rules": None},
        {"rules": [{**PODS, "operations": ["UPDATE"]}]},
        {"rules": [{**PODS, "resources": ["configmaps"]}]},
        {"rules": [{**PODS, "apiGroups": ["apps"]}]},
        {"name": "x", "clientConfig": service("linkerd-proxy-injector", "other")},
        {"name": "istio", "clientConfig": service("istiod")},
    ],
)
def test_a_webhook_that_does_not(fields: JSON) -> None:
    assert webhooks(changed(**fields)) == ()


@pytest.mark.parametrize("junk", [{}, {"webhooks": 1}, {"webhooks": [None, "x", {"rules": "x", "clientConfig": []}]}])
def test_wrong_types_read_as_absent(junk: JSON) -> None:
    assert injector_webhooks([junk], "linkerd") == ()


def test_the_namespace_is_shut_out_by_its_label() -> None:
    out = shut_out(webhooks(), namespace("shop", {}, **{ADMISSION: "disabled"}))
    assert out is not None
    assert (out.selector, out.object, out.value, out.mends) == (
        "namespaceSelector",
        "Namespace shop",
        "disabled",
        f"{ADMISSION}-",
    )
    assert out.text().endswith(f"Namespace shop has the label {ADMISSION}: disabled")


def test_the_namespace_is_shut_out_by_its_name_though_its_labels_do_not_tell() -> None:
    out = shut_out(webhooks(), namespace("kube-system", {}))
    assert out is not None and out.mends == "" and out.value == "kube-system"


def test_the_namespace_is_shut_out_for_want_of_a_label() -> None:
    only = {"matchLabels": {ADMISSION: "enabled"}}
    out = shut_out(webhooks(changed(namespaceSelector=only)), namespace())
    assert out is not None
    assert (out.value, out.mends) == (None, f"{ADMISSION}=enabled")
    assert out.text().endswith(f"Namespace shop does not have the label {ADMISSION}")


def test_the_pod_is_shut_out_by_its_label_and_without_one_it_is_not() -> None:
    marked = {"linkerd.io/control-plane-component": "x"}
    out = shut_out(webhooks(), namespace(), marked)
    assert out is not None and (out.selector, out.object) == ("objectSelector", "the Pod")
    assert shut_out(webhooks(), namespace(), {}) is None
    assert shut_out(webhooks(), namespace()) is None


def test_one_webhook_that_is_asked_is_enough() -> None:
    closed = webhooks(changed(namespaceSelector={"matchLabels": {"no": "body"}}))
    assert shut_out(closed, namespace()) is not None
    assert shut_out((*closed, *webhooks()), namespace()) is None
    assert shut_out((), namespace()) is None
