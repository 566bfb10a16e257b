"""The webhook configurations and the guard of an installation."""

from __future__ import annotations

from typing import Any

from webhook.install import configurations as conf
from webhook.install import guard
from webhook.install.configurations import NAME
from webhook.install.objects.names import DENYING, JSON, metadata
from webhook.install.tree import Base64, Each, Equal, If, InstallNamespace, Kubernetes, Node, Not, On, Value, text


def self_test() -> JSON:
    """The configuration of the self-test, by which the leader checks that the API server reaches the server."""
    webhook = conf.self_test(InstallNamespace(), _client("/self-test"))
    configuration = _configuration("MutatingWebhookConfiguration", conf.SELF_TEST, [webhook])
    configuration["metadata"]["labels"] |= conf.SELF_TEST_LABELS
    return configuration


def mutating() -> JSON:
    """The configuration of the proxy injector."""
    injector = _webhook(conf.INJECTOR_WEBHOOK, "/proxy-injector", conf.INJECTOR_CONDITIONS, reinvocation="IfNeeded")
    return _configuration("MutatingWebhookConfiguration", NAME, [injector])


def validating() -> JSON:
    """The configuration of both validators."""
    webhooks = [
        _webhook(conf.POLICY_WEBHOOK, "/policy-validator", conf.VALIDATOR_CONDITIONS),
        _webhook(conf.PROFILE_WEBHOOK, "/sp-validator", conf.VALIDATOR_CONDITIONS),
    ]
    return _configuration("ValidatingWebhookConfiguration", NAME, webhooks)


def advisor() -> JSON:
    """The configuration of the workload advisor. It is installed with adopted configurations, too."""
    names = conf.not_spared(_spared())
    of_workloads = _namespaces(may_opt_in=True)
    # Includes Namespaces that opted out, so that the advisor can warn that their other annotations have no effect.
    of_namespaces = {"matchExpressions": [names]}
    webhooks = [
        {
            **conf.advisor(name, _client("/workload-advisor"), namespaces),
            "matchConditions": _conditions(conditions),
        }
        for name, namespaces, conditions in (
            (conf.WORKLOAD_WEBHOOK, of_workloads, conf.WORKLOAD_CONDITIONS),
            (conf.NAMESPACE_WEBHOOK, of_namespaces, conf.NAMESPACE_CONDITIONS),
        )
    ]
    return _configuration("ValidatingWebhookConfiguration", conf.ADVISOR, webhooks)


def guard_policy() -> JSON:
    """The policy of the guard."""
    conditions = [*guard.CONDITIONS, If(Not(On("tokenProjection")), guard.TOKEN_CONDITION)]
    # The name of a Namespace contains no quotes, so it needs no escaping.
    return guard.policy(
        metadata(guard.NAME, namespaced=False),
        _namespaces(may_opt_in=True),
        conditions,
        text("'", InstallNamespace(), "'"),
        If(DENYING, guard.PARAMETER),
    )


def guard_binding() -> JSON:
    """The binding of the guard. With `guard: deny` it takes effect once the API server has reached the server."""
    actions = If(DENYING, ["Deny"], ["Warn", "Audit"])
    return guard.binding(metadata(guard.NAME, namespaced=False), actions, If(DENYING, guard.once_reached()))


def guard_binding_until() -> JSON:
    """The binding that warns with `guard: deny` until the API server has reached the server."""
    return guard.binding(metadata(guard.WAITING, namespaced=False), ["Warn", "Audit"], guard.until_reached())


def _configuration(kind: str, name: str, webhooks: list[JSON]) -> JSON:
    by_cert_manager = {"cert-manager.io/inject-ca-from": Value("certificates.injectCAFrom")}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {
            **metadata(name, namespaced=False),
            "annotations": If(On("certificates.injectCAFrom"), by_cert_manager),
        },
        "webhooks": webhooks,
    }


def _webhook(name: str, path: str, conditions: tuple[JSON, ...], **more: Any) -> JSON:
    namespaces = _namespaces(may_opt_in=name == conf.INJECTOR_WEBHOOK)
    return {
        **conf.webhook(name, _client(path), namespaces, Value("failurePolicy"), **more),
        # With Fail, the webhook is installed without rules and matches nothing. The server adds the rules once the API
        # server reaches it.
        "rules": If(Equal("failurePolicy", "Ignore"), [dict(rule) for rule in conf.RULES[name]]),
        "matchConditions": _conditions(conditions),
    }


def _conditions(conditions: tuple[JSON, ...]) -> Node:
    return If(
        Kubernetes("1.28", "matchConditions: the server also gets requests to which its answer is empty"),
        [dict(condition) for condition in conditions],
    )


def _client(path: str) -> JSON:
    ca_bundle = If(On("certificates.caBundle"), Base64("certificates.caBundle"))
    return {**conf.client_config(InstallNamespace(), path), "caBundle": ca_bundle}


def _namespaces(*, may_opt_in: bool) -> JSON:
    label: Node = If(On("namespaces.optIn"), conf.opted_in(), conf.opted_out()) if may_opt_in else conf.opted_out()
    return {"matchExpressions": [label, conf.not_spared(_spared())]}


def _spared() -> list[Node]:
    return conf.spared_namespaces(InstallNamespace(), [Each("namespaces.exclude")])
