"""What `/metrics` says about caBundles and configurations, from the start."""

from __future__ import annotations

import pytest

from certs.tls import ServedCertificate
from tests.kube.store import Store
from webhook.install.adoption import LINKERD_CONFIGURATIONS
from webhook.server.metrics import Metrics
from webhook.server.upkeep_metrics import UpkeepMetrics
from webhook.upkeep.leader import Upkeep
from webhook.upkeep.registration import Duties

from .conftest import SERVICE


def told(*, adopt: bool) -> str:
    """The exposition of a replica that has only just started."""
    metrics = Metrics()
    upkeep = Upkeep(Store(), Duties(SERVICE, "me", adopt=adopt), ServedCertificate())  # type: ignore[arg-type]
    metrics.registry.register(UpkeepMetrics(upkeep))
    return metrics.render().decode()


@pytest.mark.parametrize(("adopt", "name"), [(False, "linkerd-webhook"), (True, LINKERD_CONFIGURATIONS[0][1])])
async def test_a_ca_bundle_that_was_never_put_back_is_told_with_0(adopt: bool, name: str) -> None:
    assert f'\nlinkerd_webhook_ca_bundle_restored_total{{configuration="{name}"}} 0.0\n' in told(adopt=adopt)


async def test_each_adopted_configuration_is_told_with_0_while_nobody_overwrites_it() -> None:
    text = told(adopt=True)
    for _, name in LINKERD_CONFIGURATIONS:
        assert f'\nlinkerd_webhook_adoption_overwritten{{configuration="{name}"}} 0.0\n' in text
    assert "linkerd_webhook_adoption_overwritten{" not in told(adopt=False)


async def test_each_webhook_that_points_at_our_service_is_told_with_its_timeout() -> None:
    metrics = Metrics()
    upkeep = Upkeep(Store(), Duties(SERVICE, "me", adopt=True), ServedCertificate())  # type: ignore[arg-type]
    metrics.registry.register(UpkeepMetrics(upkeep))
    ours = {"service": {"namespace": SERVICE.namespace, "name": SERVICE.name, "path": "/proxy-injector"}}
    theirs = {"service": {"namespace": SERVICE.namespace, "name": "linkerd-proxy-injector", "path": "/"}}
    body = {
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "linkerd-proxy-injector-webhook-config"},
        "webhooks": [
            {"name": "a.linkerd.io", "clientConfig": ours, "timeoutSeconds": 5},
            {"name": "b.linkerd.io", "clientConfig": theirs, "timeoutSeconds": 3},
            {"name": "c.linkerd.io", "clientConfig": ours},
        ],
    }
    upkeep.configurations._watches["MutatingWebhookConfiguration"].store.put(body)
    lines = [line for line in metrics.render().decode().splitlines() if line.startswith("linkerd_webhook_timeout_")]
    assert lines == [
        'linkerd_webhook_timeout_seconds{name="a.linkerd.io",webhook="proxy-injector"} 5.0',
        'linkerd_webhook_timeout_seconds{name="c.linkerd.io",webhook="proxy-injector"} 10.0',
    ]
