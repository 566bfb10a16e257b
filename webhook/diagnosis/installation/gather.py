"""Gathers the facts about a cluster before anything is installed there: all of the I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.installation.facts import JSON, NOT_NEEDED, Review, SetupFacts
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen, Unseen
from webhook.install.configurations import NAME
from webhook.kube.api import LIST, OBJECT
from webhook.kube.fields import mapping, mappings, named, text

_METRICS: Final = "v1beta1.metrics.k8s.io"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

# Kinds of what `install` prints whose resources are not their names in lower case with an s.
_PLURALS: Final = {
    "NetworkPolicy": "networkpolicies",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}


async def gather(asker: Asker, request: InstallRequest, *, setup: bool = True) -> SetupFacts:
    """The facts that this installation depends on. `setup`: also whether the user may create all of it, and the
    clocks of the Nodes."""
    root = f"/api/v1/namespaces/{request.namespace}"
    deployments, helm_release, existing_secret, certificate, metrics_api, priority_class = await asyncio.gather(
        asker.list(
            "/apis/apps/v1/deployments", "deployments.apps", query={"labelSelector": f"app.kubernetes.io/name={NAME}"}
        ),
        _helm_release(asker, request.namespace),
        _named(asker, f"{root}/secrets", "secrets", request.existing_secret, request.namespace),
        _certificate(asker, request.inject_ca_from),
        _named(
            asker,
            "/apis/apiregistration.k8s.io/v1/apiservices",
            "apiservices.apiregistration.k8s.io",
            _METRICS if request.autoscaling else "",
        ),
        _named(
            asker,
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            "priorityclasses.scheduling.k8s.io",
            request.priority_class,
        ),
    )
    secrets = await asyncio.gather(
        *(
            asker.get(f"{root}/secrets/{name}", f"secrets/{name}", request.namespace, OBJECT)
            for name in request.pull_secrets
        )
    )
    reviews: Mapping[str, tuple[Review, ...]] = {}
    heartbeats: Fact[Mapping[str, datetime]] = NOT_NEEDED
    if setup:
        reviews, heartbeats = await asyncio.gather(_reviews(asker, request.objects), _heartbeats(asker))
    return SetupFacts(
        request=request,
        deployments=deployments,
        helm_release=helm_release,
        existing_secret=existing_secret,
        certificate=certificate,
        metrics_api=metrics_api,
        priority_class=priority_class,
        pull_secrets=dict(zip(request.pull_secrets, secrets, strict=True)),
        reviews=reviews,
        heartbeats=heartbeats,
    )


async def _named(asker: Asker, root: str, resource: str, name: str, namespace: str = "") -> Fact[JSON | None]:
    """An object, where one is named."""
    return await asker.get(f"{root}/{name}", f"{resource}/{name}", namespace) if name else NOT_NEEDED


async def _certificate(asker: Asker, reference: str) -> Fact[JSON | None]:
    """cert-manager's Certificate, by `NAMESPACE/NAME`."""
    namespace, _, name = reference.partition("/")
    root = f"/apis/cert-manager.io/v1/namespaces/{namespace}/certificates"
    return await _named(asker, root, "certificates.cert-manager.io", name, namespace)


async def _helm_release(asker: Asker, namespace: str) -> Fact[bool]:
    """Whether Helm keeps a release of the name that README and chart suggest: it stores each in a Secret."""
    query = {"fieldSelector": "type=helm.sh/release.v1", "labelSelector": f"owner=helm,name={NAME}"}
    result = await asker.list(f"/api/v1/namespaces/{namespace}/secrets", "secrets", namespace, query, LIST)
    return result if isinstance(result, NotSeen | NotRead | NotAsked) else bool(result)


class _Question(NamedTuple):
    """Of a SelfSubjectAccessReview."""

    kind: str
    group: str
    version: str
    plural: str
    namespace: str


async def _reviews(asker: Asker, objects: Iterable[JSON]) -> Mapping[str, tuple[Review, ...]]:
    """Whether the user may create these objects, a question for each resource and Namespace."""
    asked: dict[_Question, list[str]] = {}
    for body in objects:
        kind = text(body, "kind")
        group, _, version = text(body, "apiVersion").rpartition("/")
        plural = _PLURALS.get(kind, f"{kind.lower()}s")
        question = _Question(kind, group, version, plural, text(body, "metadata", "namespace"))
        asked.setdefault(question, []).append(named(body))
    answers = await asyncio.gather(*(_allowed(asker, question) for question in asked))
    result: dict[str, list[Review]] = {}
    for (question, names), allowed in zip(asked.items(), answers, strict=True):
        resource = f"{question.plural}.{question.group}" if question.group else question.plural
        review = Review(tuple(names), resource, question.namespace, allowed)
        result.setdefault(question.kind, []).append(review)
    return {kind: tuple(reviews) for kind, reviews in result.items()}


async def _allowed(asker: Asker, question: _Question) -> Fact[bool]:
    attributes = {
        "verb": "create",
        "group": question.group,
        "version": question.version,
        "resource": question.plural,
        "namespace": question.namespace,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await asker.review(_REVIEWS, "selfsubjectaccessreviews.authorization.k8s.io", body)
    if isinstance(answer, NotSeen | NotRead | NotAsked):
        return answer
    return mapping(answer, "status").get("allowed") is True


async def _heartbeats(asker: Asker) -> Fact[Mapping[str, datetime]]:
    """When each Node last said that it is there, by its condition Ready."""
    result: dict[str, datetime] = {}
    try:
        async for body in asker.pages("/api/v1/nodes", "nodes"):
            for condition in mappings(body, "status", "conditions"):
                moment = _moment(text(condition, "lastHeartbeatTime"))
                if text(condition, "type") == "Ready" and moment is not None:
                    result[text(body, "metadata", "name")] = moment
    except Unseen as unseen:
        return unseen.fact
    return result


def _moment(stamp: str) -> datetime | None:
    """A time with its zone, None for what is not one."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
