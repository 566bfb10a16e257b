"""The proxy injector's webhook. `linkerd-webhook review` uses it, too, so it does not depend on HTTP."""

from __future__ import annotations

from functools import partial

from webhook.advice import about, is_concerned
from webhook.cluster import owners
from webhook.cluster.interface import Cluster, Events
from webhook.extensions import tap
from webhook.injector.advice.objects import Advisor
from webhook.injector.advice.rules import OWNER_UNKNOWN
from webhook.injector.inject import Injector, read_or_answer
from webhook.injector.owner import Root, group_of
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace, ObjectReference
from webhook.review import AdmissionRequest, Answer, Patch
from webhook.webhooks import namespaces
from webhook.webhooks.interface import Current


class ProxyInjector:
    """The webhook of the proxy injector, for Pods and Services: reads of the cluster what the injector needs."""

    name = "proxy-injector"
    path = "/proxy-injector"

    def __init__(
        self,
        injector: Current[Injector],
        cluster: Cluster,
        events: Events | None = None,
        tap_service: str = "",
    ) -> None:
        """`tap_service` is the identity of the viz extension's tap service: where it is not empty, Pods that are
        injected get what the tap injector would add, in the same answer."""
        self._tap_service = tap_service
        self._injector = injector
        self._cluster = cluster
        self._events = events

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Decide about one request. Waits only to read a Namespace or an owner that is not in memory."""
        namespace = self._cluster.known_namespace(request.namespace)
        if namespace is None:
            resolved = await namespaces.find(self._cluster, request.namespace)
            if isinstance(resolved, Answer):
                return resolved
            namespace = resolved
        subject = read_or_answer(request)
        if isinstance(subject, Answer):
            return subject
        owner, problem = await self._workload(subject, request.namespace)
        root = await self._root(subject, request.namespace) if self._injector.value.labels_root else None
        return self._decide(request, subject, namespace, owner, problem, root)

    def _add_tap(self, answer: Answer, subject: Subject, namespace: Namespace) -> None:
        if not subject.is_pod or answer.decision != "injected" or not answer.patch:
            return
        if not tap.why_not(subject.pod_annotations, namespace.annotations):
            answer.patch = Patch(tap.with_tap(answer.patch, self._tap_service))

    async def _workload(self, subject: Subject, namespace: str) -> tuple[ObjectReference | None, str]:
        """The workload that a Pod belongs to, None for no workload; and why it could not be read, "" if it could."""
        if not subject.is_pod or not subject.owners:
            return None, ""
        owner, settled = owners.known_workload(self._cluster, _owners(subject, namespace))
        if settled or owner is None:
            return owner, ""
        return await owners.find_workload(self._cluster, owner)

    async def _root(self, subject: Subject, namespace: str) -> Root | None:
        """The last of a Pod's owners, None where the Pod has not one. What cannot be read is not climbed."""
        if not subject.is_pod:
            return None
        last = await owners.find_root(self._cluster, _owners(subject, namespace))
        return Root(last.name, last.kind, group_of(last.api_version)) if last is not None else None

    def _decide(
        self,
        request: AdmissionRequest,
        subject: Subject,
        namespace: Namespace,
        owner: ObjectReference | None,
        problem: str,
        root: Root | None = None,
    ) -> Answer:
        workload = (owner.kind.lower(), owner.name) if owner is not None else None
        injector = self._injector.value
        answer = injector.decide(subject, namespace, workload, root)
        answer.name = subject.name
        if self._tap_service:
            self._add_tap(answer, subject, namespace)
        if owner is not None:
            answer.workload = f"{owner.kind}/{owner.name}"
        if problem:
            answer.warnings.append(OWNER_UNKNOWN.at((), problem).warning)
        if subject.kind == "service":
            answer.warnings += _about_service(injector, request, namespace)
        if owner is not None and self._events is not None and not request.dry_run:
            answer.effects += [partial(self._events.record, owner, *event) for event in answer.events]
        return answer


def _owners(subject: Subject, namespace: str) -> list[ObjectReference]:
    return [
        ObjectReference(o.api_version or "", o.kind or "", namespace, o.name or "", o.uid or "") for o in subject.owners
    ]


def _about_service(injector: Injector, request: AdmissionRequest, namespace: Namespace) -> list[str]:
    """The warnings about a Service. Most Services have no annotation or label of Linkerd's, and get none."""
    if not is_concerned(request.object, (), None):
        return []
    return [finding.warning for finding in about(Advisor(injector), "service", request.object, (), namespace)]
