"""The webhook configurations: what is sent to us, and what is spared.

By Kubernetes' good practices for admission webhooks: narrow rules, all versions of an API, small time-outs, system
namespaces and our own left alone. Whatever differs from one installation to another is an argument and is put in
untouched, as it may be a node of a template.
https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/
"""

from __future__ import annotations

from typing import Any, Final

from webhook.mesh.spared import ADMISSION as ADMISSION
from webhook.mesh.spared import NAMESPACE_NAME
from webhook.mesh.spared import SPARED as SPARED

JSON = dict[str, Any]

NAME: Final = "linkerd-webhook"
SELF_TEST: Final = "linkerd-webhook-self-test"
SELF_TEST_LABEL: Final = "linkerd-webhook/self-test"
ADVISOR: Final = "linkerd-webhook-workload-advisor"
# By these labels the self-test's configuration is found, and by this one it tells that the server has been reached: the
# leader puts it there, and no manifest has it, so that nothing takes it away again.
SELF_TEST_LABELS: Final = {"app.kubernetes.io/component": "self-test"}
REACHED_LABEL: Final = "linkerd-webhook/reached"

_DOMAIN: Final = "linkerd-webhook.linkerd.io"
INJECTOR_WEBHOOK: Final = f"proxy-injector.{_DOMAIN}"
POLICY_WEBHOOK: Final = f"policy-validator.{_DOMAIN}"
PROFILE_WEBHOOK: Final = f"sp-validator.{_DOMAIN}"
WORKLOAD_WEBHOOK: Final = f"workload-advisor.{_DOMAIN}"
NAMESPACE_WEBHOOK: Final = f"namespace-advisor.{_DOMAIN}"
SELF_TEST_WEBHOOK: Final = f"self-test.{_DOMAIN}"

_CREATE: Final = ("CREATE",)
_CREATE_OR_UPDATE: Final = ("CREATE", "UPDATE")


def _rule(
    group: str, version: str, resources: tuple[str, ...], operations: tuple[str, ...], reach: str = "Namespaced"
) -> JSON:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": list(operations),
        "resources": list(resources),
        "scope": reach,
    }


_POLICIES: Final = (
    "authorizationpolicies",
    "egressnetworks",
    "httplocalratelimitpolicies",
    "httproutes",
    "meshtlsauthentications",
    "networkauthentications",
    "serverauthorizations",
    "servers",
)
_ROUTES: Final = ("grpcroutes", "httproutes", "tcproutes", "tlsroutes")

# What each webhook is sent, by its name. The server puts these into a webhook that was born without any.
RULES: Final[dict[str, tuple[JSON, ...]]] = {
    INJECTOR_WEBHOOK: (_rule("", "v1", ("pods", "services"), _CREATE),),
    POLICY_WEBHOOK: (
        _rule("policy.linkerd.io", "*", _POLICIES, _CREATE_OR_UPDATE),
        _rule("gateway.networking.k8s.io", "*", _ROUTES, _CREATE_OR_UPDATE),
    ),
    PROFILE_WEBHOOK: (_rule("linkerd.io", "*", ("serviceprofiles",), _CREATE_OR_UPDATE),),
    WORKLOAD_WEBHOOK: (
        _rule("apps", "v1", ("daemonsets", "deployments", "replicasets", "statefulsets"), _CREATE_OR_UPDATE),
        _rule("batch", "v1", ("cronjobs", "jobs"), _CREATE_OR_UPDATE),
        _rule("", "v1", ("replicationcontrollers",), _CREATE_OR_UPDATE),
    ),
    NAMESPACE_WEBHOOK: (_rule("", "v1", ("namespaces",), _CREATE_OR_UPDATE, "Cluster"),),
    SELF_TEST_WEBHOOK: (_rule("", "v1", ("configmaps",), ("UPDATE",)),),
}

# Calls whose answer is known to be empty; API servers know these conditions from 1.28 on.
# A mirror Pod only tells of one that runs already. A Service that names its opaque ports itself keeps them, but is
# still told what is wrong with its annotations, so it is not spared.
INJECTOR_CONDITIONS: Final = (
    {
        "name": "no-mirror-pod",
        "expression": (
            "request.kind.kind != 'Pod' || !has(object.metadata.annotations) || "
            "!('kubernetes.io/config.mirror' in object.metadata.annotations)"
        ),
    },
)
# What is on its way out is allowed unseen: its finalizers have to come off.
VALIDATOR_CONDITIONS: Final = (
    {
        "name": "not-being-deleted",
        "expression": "request.operation != 'UPDATE' || !has(object.metadata.deletionTimestamp)",
    },
)


def _differs(field: str) -> str:
    """Whether an object's annotations or labels are other ones than before."""
    return (
        f"(has(object.metadata.{field}) ? object.metadata.{field} : {{}}) != "
        f"(has(oldObject.metadata.{field}) ? oldObject.metadata.{field} : {{}})"
    )


_METADATA_DIFFERS: Final = f"{_differs('annotations')} ||\n{_differs('labels')}"

# A workload is sent without a key of Linkerd's, too: whether its Namespace asks is an annotation there, which no
# condition sees. It is sent when it is created and when its template changes, which is rare beside its Pods.
WORKLOAD_CONDITIONS: Final = (
    *VALIDATOR_CONDITIONS,
    {
        "name": "not-made-from-a-template",
        "expression": (
            "!(request.kind.kind in ['ReplicaSet', 'Job']) || !has(object.metadata.ownerReferences) ||\n"
            "!object.metadata.ownerReferences.exists(owner, has(owner.controller) && owner.controller)"
        ),
    },
    {
        "name": "changed",
        "expression": (
            f"request.operation != 'UPDATE' ||\n{_METADATA_DIFFERS} ||\n"
            "(request.kind.kind == 'CronJob'\n"
            "  ? object.spec.jobTemplate != oldObject.spec.jobTemplate\n"
            "  : object.spec.template != oldObject.spec.template)"
        ),
    },
)
NAMESPACE_CONDITIONS: Final = (
    *VALIDATOR_CONDITIONS,
    {
        "name": "has-a-key-of-linkerds",
        "expression": " ||\n".join(
            f"has(object.metadata.{field}) && object.metadata.{field}.exists(key,\n"
            "  key.contains('linkerd.io/') || key.startsWith('linkerd-webhook/'))"
            for field in ("annotations", "labels")
        ),
    },
    {"name": "changed", "expression": f"request.operation != 'UPDATE' ||\n{_METADATA_DIFFERS}"},
)


def spared_namespaces(namespace: Any, more: Any = ()) -> list[Any]:
    """The names that are left alone: `namespace` is ours."""
    return [*SPARED, namespace, *more]


def opted_out() -> JSON:
    """The expression by which Namespaces with Linkerd's label are left alone."""
    return {"key": ADMISSION, "operator": "NotIn", "values": ["disabled"]}


def opted_in() -> JSON:
    """The expression by which only Namespaces with the label are not left alone."""
    return {"key": ADMISSION, "operator": "In", "values": ["enabled"]}


def not_spared(names: Any) -> JSON:
    """The expression by which Namespaces of these names are left alone."""
    return {"key": NAMESPACE_NAME, "operator": "NotIn", "values": names}


def client_config(namespace: Any, path: str) -> JSON:
    """Where a webhook is. There is no caBundle: the server writes it."""
    return {"service": {"namespace": namespace, "name": NAME, "path": path, "port": 443}}


def webhook(name: str, client: Any, namespaces: Any, failure_policy: Any, *, reinvocation: str | None = None) -> JSON:
    """A webhook without rules. `namespaces` is its namespaceSelector.

    `IfNeeded` for the injector: an annotation that a webhook after it adds is still seen, and a second call is empty.
    """
    entry: JSON = {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": client,
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespaces,
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 5,
    }
    if reinvocation is not None:
        entry["reinvocationPolicy"] = reinvocation
    return entry


def advisor(name: str, client: Any, namespaces: Any) -> JSON:
    """A webhook that only warns: nothing waits for it for long, and nothing is refused where it does not answer."""
    return {
        **webhook(name, client, namespaces, "Ignore"),
        "rules": [dict(rule) for rule in RULES[name]],
        "sideEffects": "None",
        "timeoutSeconds": 1,
    }


def self_test(namespace: Any, client: Any) -> JSON:
    """The webhook that matches nothing but the self-test's ConfigMap, while that carries the label: in a dry run."""
    here = {"matchExpressions": [{"key": NAMESPACE_NAME, "operator": "In", "values": [namespace]}]}
    return {
        **webhook(SELF_TEST_WEBHOOK, client, here, "Fail", reinvocation="Never"),
        # Nobody waits for it but the leader, which tries again soon.
        "timeoutSeconds": 2,
        "objectSelector": {"matchLabels": {SELF_TEST_LABEL: "true"}},
        "rules": [dict(rule) for rule in RULES[SELF_TEST_WEBHOOK]],
    }
