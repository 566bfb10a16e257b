"""Whatever Pods there are, they can be judged; and what was just injected is what it would be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.strategies import ANYTHING, METADATA, OBJECTS, SPEC, VALUES, perhaps, record, sound
from tests.unit.diagnosis.dataplane.plane import CONFIGURATION, as_stored, webhooks
from tests.unit.injector.builders import ENABLED, INJECT, release
from webhook.diagnosis.dataplane.callers import injector_webhooks, shut_out
from webhook.diagnosis.dataplane.podstate import PodJudge, annotated_at
from webhook.diagnosis.dataplane.quotas import beyond, lacking
from webhook.diagnosis.dataplane.samples import samples
from webhook.diagnosis.dataplane.survey import Survey
from webhook.diagnosis.dataplane.workloads import LISTED, Owner, Workloads, workload_of
from webhook.injector.patch import applied
from webhook.injector.removal import removed
from webhook.injector.settings import SETTINGS
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.releases import LINES

BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Names that the injector takes for its own are another Pod's business.
ROWS = st.fixed_dictionaries({INJECT: st.just("enabled")}, optional={row.annotation: VALUES for row in SETTINGS})
OWNER = Owner("Deployment", "shop", "web")


@pytest.mark.parametrize("line", LINES)
@BOUNDED
@given(pod=sound(ROWS), namespace=ROWS)
def test_a_pod_that_was_just_injected_has_not_drifted(
    line: str, pod: dict[str, Any], namespace: dict[str, str]
) -> None:
    using, within = release(line), Namespace("shop", namespace, {})
    template = {"metadata": {"annotations": pod["metadata"]["annotations"]}}
    body = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"template": template}}
    answer = using.decide(Subject.of("Pod", pod), within, ("deployment", "web"))
    if answer.decision != "injected":
        return
    state = PodJudge(using, webhooks()).judge(
        as_stored(applied(pod, answer.patch)), within, OWNER, workload_of("Deployment", body)
    )
    assert (state.meshed, state.would, state.drift) == (True, True, ())


@BOUNDED
@given(pods=st.lists(OBJECTS, max_size=4), bodies=st.lists(OBJECTS, max_size=3))
def test_any_objects_are_surveyed(pods: list[Any], bodies: list[Any]) -> None:
    there = Workloads()
    for body in bodies:
        for kind in LISTED:
            there.add(kind, body if isinstance(body, dict) else {})
    survey = Survey(PodJudge(release("edge-26.8"), webhooks()), {"": Namespace("", ENABLED, {})}, there)
    for pod in pods:
        if isinstance(pod, dict):
            survey.add(pod)
            removed(pod, {}, frozenset())
            annotated_at(pod)
    result = survey.result()
    assert result.pods == sum(isinstance(pod, dict) for pod in pods)
    for plight in (*result.unmeshed, *result.outdated):
        assert plight.message and plight.advice.line()


@BOUNDED
@given(
    junk=st.lists(record(webhooks=perhaps(st.lists(record(rules=ANYTHING, namespaceSelector=ANYTHING))))),
    spec=record(hard=ANYTHING, limits=st.lists(record(type=st.just("Container"), max=ANYTHING, default=ANYTHING))),
    metadata=METADATA,
    template=SPEC,
)
def test_any_configuration_quota_and_range_is_judged(junk: list[Any], spec: Any, metadata: Any, template: Any) -> None:
    namespace = Namespace("shop", ENABLED, {})
    hooks = injector_webhooks([*junk, CONFIGURATION], "linkerd")
    shut_out(hooks, namespace, {})
    bounds = {"metadata": metadata, "spec": spec}
    made = workload_of("Deployment", {"metadata": metadata, "spec": {"template": template}})
    for sample in samples(release("edge-26.8"), webhooks(), namespace, [made] if made else []):
        assert list(lacking(sample, [bounds], [bounds])) is not None
        assert list(beyond(sample, [bounds])) is not None
