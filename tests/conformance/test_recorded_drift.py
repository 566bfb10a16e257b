"""A Pod as Linkerd's own injector made it has not drifted from what it would get now: recordings of every line tell.

The recordings are those of `test_recordings`, and these tests are skipped without them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.test_recordings import CORPORA, JSON, grouped, is_allowed, objects
from tests.unit.diagnosis.dataplane.plane import as_stored
from webhook.diagnosis.dataplane.podstate import PodJudge
from webhook.diagnosis.dataplane.workloads import Owner, workload_of
from webhook.injector.inject import Injector
from webhook.injector.removal import ADDED, is_meshed
from webhook.kube.fields import mappings, text
from webhook.kube.objects import Namespace, namespace_of
from webhook.mesh.config import ConfigError, Mesh


def injected(group: list[JSON]) -> Iterator[tuple[JSON, JSON, JSON]]:
    """The cases whose Pods Linkerd injected: each with the Pod before and after."""
    for case in group:
        request = case["review"]["request"]
        before, after = request.get("object"), case["expected"].get("object")
        if request["kind"]["kind"] != "Pod" or not is_allowed(case) or not isinstance(after, dict):
            continue
        # A Pod that came with a container of Linkerd's names is nobody's.
        own = {
            text(element, "name")
            for key in ("containers", "initContainers")
            for element in mappings(before, "spec", key)
        }
        if isinstance(before, dict) and is_meshed(after) and own.isdisjoint(ADDED):
            yield case, before, after


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_pod_that_linkerd_injected_has_not_drifted(corpus: str) -> None:
    result, judged = [], 0
    for options, values, anchors, group in grouped(corpus):
        try:
            injector = Injector(Mesh.load(values.read_bytes(), anchors.read_bytes(), **options))
        except ConfigError:
            continue
        namespaces = {
            namespace.name: namespace for namespace in map(namespace_of, _namespaces(group)) if namespace is not None
        }
        for case, before, after in injected(group):
            name = case["review"]["request"].get("namespace", "")
            template = {"metadata": before.get("metadata") or {}, "spec": before.get("spec")}
            made_from = workload_of("Deployment", {"metadata": {"namespace": name}, "spec": {"template": template}})
            owner = Owner("Deployment", name, "web")
            within = namespaces.get(name) or Namespace(name, {}, {})
            state = PodJudge(injector, None).judge(as_stored(after), within, owner, made_from)
            judged += 1
            result += [f"{case['name']} ({case['values']}): {difference}" for difference in state.drift]
    assert not result, f"{len(result)} of {judged}:\n" + "\n".join(result[:10])
    assert judged > 30, f"only {judged} Pods: the recordings are not whole"


def _namespaces(group: list[JSON]) -> Iterator[JSON]:
    return (body for body in objects(group) if body.get("kind") == "Namespace")
