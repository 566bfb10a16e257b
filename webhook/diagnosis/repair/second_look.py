"""Whether a workload's Pods are, after its restart, as they should be: by what `check` judges all Pods by. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.dataplane.gather import webhooks_of
from webhook.diagnosis.dataplane.podstate import PodJudge
from webhook.diagnosis.dataplane.survey import Survey
from webhook.diagnosis.dataplane.workloads import Owner
from webhook.diagnosis.unseen import known, seen
from webhook.injector.inject import Injector
from webhook.kube.interface import JSON


class SecondLook:
    """Judges the Pods that a restart has made."""

    def __init__(self, facts: ClusterFacts) -> None:
        """`facts` are those by which the restarts were found. Raises `Unseen` where what Pods are judged by is not
        known."""
        self._judge = PodJudge(Injector(seen(facts.mesh)), seen(webhooks_of(facts.configurations, facts.namespace)))
        self._namespaces = seen(facts.namespaces)
        self._workloads = seen(facts.plane.workloads)
        self._limit_ranges = known(facts.plane.limit_ranges, {})

    def problem(self, owner: Owner, pods: Iterable[JSON]) -> str:
        """What is still wrong with the Pods of a workload, and which of them shows it; "" where nothing is. `pods` are
        as the API server returns them, and may be those of other workloads, too."""
        survey = Survey(self._judge, self._namespaces, self._workloads, self._limit_ranges)
        for pod in pods:
            if self._workloads.owner(pod) == owner:
                survey.add(pod)
        result = survey.result()
        plights = (*result.unmeshed, *result.outdated)
        return "; ".join(f"{plight.message} (such as Pod {owner.namespace}/{plight.pod})" for plight in plights)
