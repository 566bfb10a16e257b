"""Whatever stands in the objects of a cluster, the lines about an installation survive it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster
from webhook.diagnosis.certificates.facts import CertificateFacts
from webhook.diagnosis.check import configurations, guarded, installed, rights, server, tls
from webhook.diagnosis.check.run import judge
from webhook.diagnosis.check.server_facts import DryRun, ServerFacts
from webhook.diagnosis.selftest import SelfTestResult
from webhook.kube.webhookconfigurations import ServiceReference

SERVICE = ServiceReference("linkerd", "linkerd-webhook")
LINES = [
    installed.installed,
    rights.rights,
    configurations.configurations,
    configurations.adopted,
    configurations.two_injectors,
    configurations.deadlock,
    guarded.guard,
    tls.certificate,
    tls.ca_bundle,
    tls.expiry,
    server.replicas,
    server.replicas_fail,
    server.webhook_reached,
    server.webhook_injects,
]
JUNK = st.sampled_from([None, True, 7, "text", [], [None], ["a", {}], {}, {"a": 1}, {"name": ["x"]}, [[1]]])
WAYS: list[InstalledCluster] = [
    InstalledCluster(failurePolicy="Fail", guard="deny", replicas=1),
    InstalledCluster(adopt=True),
    InstalledCluster.image(),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within an object, itself not among them."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [element for key, child in children for element in [(*path, key), *places(child, (*path, key))]]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_line_survives_a_value_of_any_type_at_any_place(data: st.DataObject) -> None:
    cluster = copy.deepcopy(data.draw(st.sampled_from(WAYS)))
    name = data.draw(st.sampled_from(sorted(cluster.objects)))
    for _ in range(data.draw(st.integers(1, 3))):
        positions = places(cluster.objects[name])
        *above, last = data.draw(st.sampled_from(positions)) if positions else ("kind",)
        within: Any = cluster.objects[name]
        for key in above:
            within = within[key]
        within[last] = copy.deepcopy(data.draw(JUNK))
    state = ServerFacts(
        services={SERVICE: cluster.objects.get(("Service", "linkerd-webhook"))},
        certificates={SERVICE: CertificateFacts(SERVICE, datetime(2026, 6, 1, tzinfo=UTC))},
        self_test=SelfTestResult("pod-1"),
        dry_run=DryRun("shop", {"spec": data.draw(JUNK)}),
    )
    report = judge(LINES, cluster.facts(server=state))
    assert len(report.results) + len(report.skipped) == len(LINES)
