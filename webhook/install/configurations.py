"""The webhook configurations of an installation: which requests the API server sends to the server.

They follow Kubernetes' good practices for admission webhooks: narrow rules, all versions of an API, short timeouts, and
no requests from system Namespaces and our own. Arguments are used as they are, as they may be nodes of a template.
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
# The labels that select the self-test's configuration, and the label that the leader adds to it once the API server has
# reached the server. No manifest contains that label, so that applying one does not remove it.
SELF_TEST_LABELS: Final = {"app.kubernetes.io/component": "self-test"}
REACHED_LABEL: Final = "linkerd-webhook/reached"

_DOMAIN: Final = "linkerd-webhook.linkerd.io"
INJECTOR_WEBHOOK: Final = f"proxy-injector.{_DOMAIN}"
POLICY_WEBHOOK: Final = f"policy-validator.{_DOMAIN}"
PROFILE_WEBHOOK: Final = f"sp-validator.{_DOMAIN}"
WORKLOAD_WEBHOOK: Final = f"workload-advisor.{_DOMAIN}"
NAMESPACE_WEBHOOK: Final = f"namespace-advisor.{_DOMAIN}"
SELF_TEST_WEBHOOK: Final = f"self-test.{_DOMAIN}"

POLICY_GROUP: Final = "policy.linkerd.io"
GATEWAY_GROUP: Final = "gateway.networking.k8s.io"

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


# The kinds that the policy validator checks, by resource. A release may lack some: `webhook.install.validatedkinds`.
POLICIES: Final = {
    "authorizationpolicies": "AuthorizationPolicy",
    "egressnetworks": "EgressNetwork",
    "httplocalratelimitpolicies": "HTTPLocalRateLimitPolicy",
    "httproutes": "HTTPRoute",
    "meshtlsauthentications": "MeshTLSAuthentication",
    "networkauthentications": "NetworkAuthentication",
    "serverauthorizations": "ServerAuthorization",
    "servers": "Server",
}
ROUTES: Final = {
    "grpcroutes": "GRPCRoute",
    "httproutes": "HTTPRoute",
    "tcproutes": "TCPRoute",
    "tlsroutes": "TLSRoute",
}

# The rules of each webhook, by its name, with the kinds of every release of Linkerd. The server adds them to a webhook
# that was installed without rules.
RULES: Final[dict[str, tuple[JSON, ...]]] = {
    INJECTOR_WEBHOOK: (_rule("", "v1", ("pods", "services"), _CREATE),),
    POLICY_WEBHOOK: (
        _rule(POLICY_GROUP, "*", tuple(POLICIES), _CREATE_OR_UPDATE),
        _rule(GATEWAY_GROUP, "*", tuple(ROUTES), _CREATE_OR_UPDATE),
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

# Conditions under which a request is sent (Kubernetes 1.28 and later); others would get an empty answer.
# A mirror Pod represents a static Pod that already runs. A Service that sets its opaque ports itself is sent all the
# same, for the warnings about its annotations.
INJECTOR_CONDITIONS: Final = (
    {
        "name": "no-mirror-pod",
        "expression": (
            "request.kind.kind != 'Pod' || !has(object.metadata.annotations) || "
            "!('kubernetes.io/config.mirror' in object.metadata.annotations)"
        ),
    },
)
# An object that is being deleted is not checked, so that its finalizers can be removed.
VALIDATOR_CONDITIONS: Final = (
    {
        "name": "not-being-deleted",
        "expression": "request.operation != 'UPDATE' || !has(object.metadata.deletionTimestamp)",
    },
)


def _differs(field: str) -> str:
    """The CEL expression for whether an object's annotations or labels differ from the previous ones."""
    return (
        f"(has(object.metadata.{field}) ? object.metadata.{field} : {{}}) != "
        f"(has(oldObject.metadata.{field}) ? oldObject.metadata.{field} : {{}})"
    )


_METADATA_DIFFERS: Final = f"{_differs('annotations')} ||\n{_differs('labels')}"

# A workload without annotations of Linkerd's is sent, too: its Namespace may have the annotation to inject, which a
# condition cannot read. It is sent when it is created or its template changes, which is rare compared with its Pods.
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
    """The names of the Namespaces from which no requests are sent; `namespace` is the server's own."""
    return [*SPARED, namespace, *more]


def opted_out() -> JSON:
    """The expression that excludes Namespaces with the label `config.linkerd.io/admission-webhooks: disabled`."""
    return {"key": ADMISSION, "operator": "NotIn", "values": ["disabled"]}


def opted_in() -> JSON:
    """The expression that selects only Namespaces with `config.linkerd.io/admission-webhooks: enabled`."""
    return {"key": ADMISSION, "operator": "In", "values": ["enabled"]}


def not_spared(names: Any) -> JSON:
    """The expression that excludes Namespaces of these names."""
    return {"key": NAMESPACE_NAME, "operator": "NotIn", "values": names}


def client_config(namespace: Any, path: str) -> JSON:
    """The clientConfig of a webhook, without a caBundle, which the server writes."""
    return {"service": {"namespace": namespace, "name": NAME, "path": path, "port": 443}}


def webhook(name: str, client: Any, namespaces: Any, failure_policy: Any, *, reinvocation: str | None = None) -> JSON:
    """A webhook without rules. `namespaces` is its namespaceSelector, `reinvocation` its reinvocationPolicy.

    The injector has `IfNeeded`, so that it sees annotations that later webhooks add; its second answer is empty if it
    has nothing to change.
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
    """A webhook that only warns: with a timeout of one second, and objects are allowed if it does not answer."""
    return {
        **webhook(name, client, namespaces, "Ignore"),
        "rules": [dict(rule) for rule in RULES[name]],
        "sideEffects": "None",
        "timeoutSeconds": 1,
    }


def self_test(namespace: Any, client: Any) -> JSON:
    """The webhook that matches only the self-test's ConfigMap with its label, which it has in the dry run only."""
    here = {"matchExpressions": [{"key": NAMESPACE_NAME, "operator": "In", "values": [namespace]}]}
    return {
        **webhook(SELF_TEST_WEBHOOK, client, here, "Fail", reinvocation="Never"),
        # Only the leader waits for it, and retries soon.
        "timeoutSeconds": 2,
        "objectSelector": {"matchLabels": {SELF_TEST_LABEL: "true"}},
        "rules": [dict(rule) for rule in RULES[SELF_TEST_WEBHOOK]],
    }
