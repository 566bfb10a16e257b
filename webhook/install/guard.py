"""The guard: a ValidatingAdmissionPolicy against Pods that should be meshed and have no proxy.

With `failurePolicy: Ignore` the API server admits Pods while the webhook does not answer, and another webhook may
remove the proxy. The API server itself evaluates the guard, on the Pod that would be stored. The guard decides as
`injector.decision` does, in CEL; conditions on the Pod alone are matchConditions, which cost least. Arguments are used
as they are, as they may be nodes of a template.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from typing import Any, Final

from webhook.install.configurations import REACHED_LABEL, SELF_TEST_LABELS

JSON = dict[str, Any]

NAME: Final = "linkerd-webhook-guard"
# The binding that warns until the one that refuses takes effect.
WAITING: Final = f"{NAME}-waiting"


_API_VERSION: Final = "admissionregistration.k8s.io/v1"


def _lines(*lines: str) -> str:
    return "\n".join(lines)


# Linkerd's own containers do not count as another mesh's: the guard is for Pods that have only some of them.
_FOREIGN_SIDECAR: Final = _lines(
    "!object.spec.containers.exists(c,",
    "  c.name == 'istio-proxy' ||",
    "  c.name != 'linkerd-proxy' && (",
    "    c.?image.orValue('').startsWith('cr.l5d.io/linkerd/proxy:') ||",
    "    c.?image.orValue('').startsWith('gcr.io/istio-release/proxyv2:')))",
)
_FOREIGN_INIT: Final = _lines(
    "!object.spec.?initContainers.orValue([]).exists(c,",
    "  c.name in ['istio-proxy', 'istio-init'] ||",
    "  !(c.name in ['linkerd-proxy', 'linkerd-init', 'linkerd-network-validator']) && (",
    "    c.?image.orValue('').startsWith('cr.l5d.io/linkerd/proxy:') ||",
    "    c.?image.orValue('').startsWith('cr.l5d.io/linkerd/proxy-init:') ||",
    "    c.?image.orValue('').startsWith('gcr.io/istio-release/proxyv2:') ||",
    "    c.?image.orValue('').startsWith('gcr.io/istio-release/proxy_init:')))",
)

# Conditions for Pods that can be injected at all.
CONDITIONS: Final[tuple[JSON, ...]] = (
    {"name": "no-host-network", "expression": "!object.spec.?hostNetwork.orValue(false)"},
    {
        "name": "no-mirror-pod",
        "expression": "!object.metadata.?annotations[?'kubernetes.io/config.mirror'].hasValue()",
    },
    {"name": "no-other-sidecar", "expression": _FOREIGN_SIDECAR},
    {"name": "no-other-init-container", "expression": _FOREIGN_INIT},
)

# One more where the mesh's identity.serviceAccountTokenProjection is false: then a proxy needs the Pod's own token.
TOKEN_CONDITION: Final[JSON] = {
    "name": "has-token",
    "expression": _lines(
        "object.spec.?automountServiceAccountToken.orValue(true) &&",
        "object.spec.containers[0].?volumeMounts.orValue([]).exists(m,",
        "  m.mountPath == '/var/run/secrets/kubernetes.io/serviceaccount')",
    ),
}

_VARIABLES: Final[tuple[JSON, ...]] = (
    {
        "name": "podInject",
        "expression": "object.metadata.?annotations[?'linkerd.io/inject'].orValue('')",
    },
    {
        "name": "namespaceInject",
        "expression": "namespaceObject.metadata.?annotations[?'linkerd.io/inject'].orValue('')",
    },
    {
        "name": "valid",
        "expression": _lines(
            "variables.namespaceInject in ['', 'enabled', 'disabled', 'ingress'] &&",
            "variables.podInject in ['', 'enabled', 'disabled', 'ingress']",
        ),
    },
    {
        "name": "asked",
        "expression": _lines(
            "variables.valid && (",
            "  variables.namespaceInject in ['enabled', 'ingress']",
            "    ? variables.podInject != 'disabled'",
            "    : variables.podInject in ['enabled', 'ingress'])",
        ),
    },
    {"name": "containers", "expression": "object.spec.containers.map(c, c.name)"},
    {"name": "initContainers", "expression": "object.spec.?initContainers.orValue([]).map(c, c.name)"},
    {
        "name": "proxy",
        "expression": "'linkerd-proxy' in variables.containers || 'linkerd-proxy' in variables.initContainers",
    },
    # With the CNI plugin the node redirects traffic, and the network validator checks that; older release lines have a
    # container `noop` in its place.
    {
        "name": "redirected",
        "expression": _lines(
            "variables.initContainers.exists(name,",
            "  name in ['linkerd-init', 'linkerd-network-validator', 'noop'])",
        ),
    },
)

_MESSAGE: Final = _lines(
    "'Pod ' + (object.metadata.?name.orValue('') != ''",
    "  ? object.metadata.name : object.metadata.?generateName.orValue('')) +",
    "' is not meshed: it has no ' + (variables.proxy",
    "  ? 'init container linkerd-init or linkerd-network-validator'",
    "  : 'container linkerd-proxy') +",
    "', though ' + (variables.namespaceInject in ['enabled', 'ingress']",
    "  ? 'Namespace ' + namespaceObject.metadata.name +",
    "    ' asks for it with linkerd.io/inject: ' + variables.namespaceInject",
    "  : 'it asks for it with linkerd.io/inject: ' + variables.podInject) +",
    "'. See whether the webhook is up (kubectl -n ' + variables.linkerdNamespace +",
    "' get deploy linkerd-webhook), then create the Pod anew (kubectl rollout restart what it belongs to)'",
)


def policy(metadata: Any, selector: Any, conditions: Any, namespace: Any, parameter: Any = None) -> JSON:
    """The ValidatingAdmissionPolicy.

    `selector` is the injector's namespaceSelector. `conditions` are the matchConditions: `CONDITIONS`, with
    `TOKEN_CONDITION` where the mesh projects no tokens. `namespace` is Linkerd's as a string in CEL, in quotes.
    `parameter` is the paramKind, `PARAMETER` if a binding has a paramRef.
    """
    return {
        "apiVersion": _API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            **({} if parameter is None else {"paramKind": parameter}),
            "failurePolicy": "Ignore",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": selector,
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                        "scope": "Namespaced",
                    }
                ],
            },
            "matchConditions": conditions,
            "variables": [
                *(dict(variable) for variable in _VARIABLES),
                {"name": "linkerdNamespace", "expression": namespace},
            ],
            "validations": [
                {
                    "expression": "!variables.asked || (variables.proxy && variables.redirected)",
                    "messageExpression": _MESSAGE,
                    "message": "the Pod asks to be meshed with linkerd.io/inject and is not: is the webhook up?",
                    "reason": "Forbidden",
                }
            ],
        },
    }


def binding(metadata: Any, actions: Any, parameters: Any = None) -> JSON:
    """The ValidatingAdmissionPolicyBinding. `actions` are its validationActions: Warn and Audit, or Deny.

    `parameters` is the paramRef: the binding takes effect only if a selected object exists. Without it, it always does.
    """
    only = {} if parameters is None else {"paramRef": parameters}
    return {
        "apiVersion": _API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": NAME, "validationActions": actions, **only},
    }


# Refusing Pods before the injector works would stop a cluster. So the binding that refuses depends on the label that
# the leader adds to the self-test's configuration, and not on a field of the binding, which every apply would reset.
PARAMETER: Final[JSON] = {"apiVersion": _API_VERSION, "kind": "MutatingWebhookConfiguration"}


def once_reached() -> JSON:
    """The paramRef of a binding that takes effect once the API server has reached the server."""
    return _parameters({"matchLabels": {**SELF_TEST_LABELS, REACHED_LABEL: "true"}})


def until_reached() -> JSON:
    """The paramRef of a binding that takes effect until the API server has reached the server."""
    missing = {"key": REACHED_LABEL, "operator": "DoesNotExist"}
    return _parameters({"matchLabels": dict(SELF_TEST_LABELS), "matchExpressions": [missing]})


def _parameters(selector: JSON) -> JSON:
    return {"selector": selector, "parameterNotFoundAction": "Allow"}
