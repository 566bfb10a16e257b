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
