"""What of this program is installed in a cluster, and with which settings: read from its objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from webhook.diagnosis import fixes
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen, known, missing_rights
from webhook.install import guard
from webhook.install.adoption import ADOPTABLE, ADOPTED_FROM
from webhook.install.configurations import ADVISOR, NAME, SELF_TEST
from webhook.install.images import Image, containers, running_ours
from webhook.install.render import NEWEST, Rendered, render
from webhook.install.server_deployment import flag, server_deployment
from webhook.install.settings import defaults, place
from webhook.kube.fields import mapping, mappings, number, sequence, text
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, ConfigurationName, ServiceReference, pointing
from webhook.mesh.spared import ADMISSION, NAMESPACE_NAME, SPARED

Configurations = Mapping[ConfigurationName, JSON]

OWN_INJECTOR: Final[ConfigurationName] = (MUTATING, NAME)
OWN_VALIDATORS: Final[ConfigurationName] = (VALIDATING, NAME)
OWN_SELF_TEST: Final[ConfigurationName] = (MUTATING, SELF_TEST)
OWN_ADVISOR: Final[ConfigurationName] = (VALIDATING, ADVISOR)

# The policy of the guard, its binding, and the binding that warns until the other one takes effect.
POLICY: Final = "ValidatingAdmissionPolicy"
BINDING: Final = "ValidatingAdmissionPolicyBinding"
GUARDS: Final = ((POLICY, guard.NAME), (BINDING, guard.NAME), (BINDING, guard.WAITING))

# The containers of Linkerd's Deployments whose image may be exchanged, and the Services in front of them.
_EXCHANGED: Final = {"proxy-injector": "linkerd-proxy-injector", "sp-validator": "linkerd-sp-validator"}

# Flags of the Deployment that `install` writes by itself; all others were given as extraArgs.
_WRITTEN: Final = frozenset(
    (
        "addr",
        "admin-addr",
        "linkerd-namespace",
        "service",
        "certs",
        "adopt",
        "cluster-domain",
        "log-level",
        "log-format",
        "shutdown-delay",
        "status-page",
    )
)


class InstallMode(StrEnum):
    """How the server gets its requests."""

    OWN = "own"
    """By webhook configurations of our own, beside Linkerd's or in place of them."""
    ADOPTED = "adopted"
    """By Linkerd's configurations, which point at our Service."""
    IMAGE = "image"
    """By Linkerd's configurations and Services: our image runs in Linkerd's Deployments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed in `namespace`. `deployments` run our image; none where ours was deleted. `services` are those
    that the API server calls.

    `values` are the settings of `install`, complete, as far as the objects tell, the rest as by default. In mode
    `image` there are none but for the defaults: nothing was installed by `install`.
    """

    mode: InstallMode
    namespace: str
    deployments: Fact[tuple[JSON, ...]] = ()
    services: tuple[ServiceReference, ...] = ()
    values: JSON = field(default_factory=defaults)
    arguments: tuple[str, ...] = ()

    @property
    def service(self) -> ServiceReference:
        """The first of the Services: ours, or the injector's."""
        return self.services[0]

    def deployment_of(self, service: ServiceReference) -> JSON | None:
        """The Deployment behind one of the Services, None where it does not exist or may not be seen."""
        deployments = known(self.deployments, ())
        if self.mode is not InstallMode.IMAGE:
            return next(iter(deployments), None)
        container = next(name for name, behind in _EXCHANGED.items() if behind == service.name)
        ours = (
            deployment
            for deployment in deployments
            if any(text(one, "name") == container for one in running_ours(deployment))
        )
        return next(ours, None)

    def logs(self) -> str:
        """The command that shows what the injector logs."""
        deployment = self.deployment_of(self.service)
        command = fixes.logs(self.namespace, text(deployment, "metadata", "name") or NAME)
        if self.mode is InstallMode.IMAGE:
            return f"{command} -c {next(name for name, behind in _EXCHANGED.items() if behind == self.service.name)}"
        return command

    @property
    def release_line(self) -> str:
        """The value of --release-line, "" where it was not given: then Linkerd's configuration tells."""
        return flag(self.arguments, "release-line")

    def rendered(self, kubernetes: tuple[int, int] = NEWEST) -> Rendered:
        """What `install` prints with these settings for an API server of this version; nothing in mode `image`."""
        if self.mode is InstallMode.IMAGE:
            return Rendered([], kubernetes, [])
        return render(self.values, self.namespace, kubernetes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What the cluster has of an installation in `namespace`. Objects are as the API server returns them, None where
    they do not exist; `deployments` are all of the Namespace, and `guards` the policy and the bindings that exist, by
    name."""

    namespace: str
    configurations: Fact[Configurations]
    deployments: Fact[tuple[JSON, ...]]
    service: Fact[JSON | None]
    cluster_role: Fact[JSON | None] = None
    guards: Fact[Mapping[tuple[str, str], JSON]] = field(default_factory=dict)


def read(traces: Traces) -> Fact[Installation | None]:
    """The installation, None where there is none. What is not known for want of a right or by a failure is that only
    where nothing else tells."""
    service = ServiceReference(traces.namespace, NAME)
    deployments = known(traces.deployments, ())
    configurations = known(traces.configurations, {})
    own = [deployment for deployment in deployments if text(deployment, "metadata", "name") == NAME]
    # The installer's own objects tell; where they are gone, whatever points at our Service does.
    pointed = [name for name, body in configurations.items() if pointing(body, service)]
    adopted = [name for name in ADOPTABLE if name in pointed or _annotated(configurations.get(name))]
    if own or pointed or adopted or known(traces.service, None) is not None:
        return _own(traces, own, adopted=_adopts(own, adopted, pointed), service=service)
    exchanged = {
        text(container, "name"): (deployment, container)
        for deployment in deployments
        for container in running_ours(deployment)
        if text(container, "name") in _EXCHANGED
    }
    if exchanged:
        return _exchanged(traces.namespace, exchanged)
    return _unknown(traces.configurations, traces.deployments, traces.service)


def elsewhere(configurations: Configurations, namespace: str) -> list[str]:
    """The other Namespaces at whose Service of our name webhook configurations point."""
    targets = (
        (text(target, "namespace"), text(target, "name"))
        for body in configurations.values()
        for webhook in mappings(body, "webhooks")
        for target in [mapping(webhook, "clientConfig", "service")]
    )
    return sorted({within for within, name in targets if name == NAME and within not in ("", namespace)})


def _annotated(body: JSON | None) -> bool:
    return ADOPTED_FROM in mapping(body, "metadata", "annotations")


def _unknown(*facts: Fact[Any]) -> Fact[Installation | None]:
    """Why it is not known whether there is an installation; None where all facts are known."""
    missing = missing_rights(*facts)
    if missing:
        return NotSeen(missing)
    return next((fact for fact in facts if isinstance(fact, NotRead | NotAsked)), None)


def _adopts(own: list[JSON], adopted: list[ConfigurationName], pointed: list[ConfigurationName]) -> bool:
    """Whether it was installed with --adopt: the Deployment's arguments tell, and the configurations without it."""
    if own:
        return any(argument.partition("=")[0] == "--adopt" for argument in _arguments(own[0]))
    return bool(adopted) and OWN_INJECTOR not in pointed


def _arguments(deployment: JSON) -> tuple[str, ...]:
    first = next(containers(deployment), {})
    given = [*sequence(first, "command"), *sequence(first, "args")]
    return tuple(argument for argument in given if isinstance(argument, str))


def _exchanged(namespace: str, exchanged: Mapping[str, tuple[JSON, JSON]]) -> Installation:
    deployments = []
    for deployment, _ in exchanged.values():
        if deployment not in deployments:
            deployments.append(deployment)
    # The injector comes first, where it is ours.
    result = [name for name in _EXCHANGED if name in exchanged]
    container = exchanged[result[0]][1]
    given = [*sequence(container, "command"), *sequence(container, "args")]
    return Installation(
        mode=InstallMode.IMAGE,
        namespace=namespace,
        deployments=tuple(deployments),
        services=tuple(ServiceReference(namespace, _EXCHANGED[name]) for name in result),
        arguments=tuple(argument for argument in given if isinstance(argument, str)),
    )


def _own(traces: Traces, own: list[JSON], *, adopted: bool, service: ServiceReference) -> Installation:
    deployment = own[0] if own else None
    values = defaults()
    configurations = known(traces.configurations, {})
    settings = {
        "adopt": adopted,
        **_of_configurations(configurations),
        **_of_role(configurations, known(traces.cluster_role, None)),
        **_of_guard(known(traces.guards, {})),
        **(_of_deployment(deployment, service) if deployment is not None else {}),
    }
    for path, value in settings.items():
        place(values, path, value)
    return Installation(
        mode=InstallMode.ADOPTED if adopted else InstallMode.OWN,
        namespace=traces.namespace,
        deployments=traces.deployments if isinstance(traces.deployments, NotSeen | NotRead | NotAsked) else tuple(own),
        services=(service,),
        values=values,
        arguments=_arguments(deployment) if deployment is not None else (),
    )


def _of_configurations(configurations: Configurations) -> dict[str, Any]:
    """The settings that our webhook configurations show."""
    settings: dict[str, Any] = {}
    injector = next(mappings(configurations.get(OWN_INJECTOR), "webhooks"), None)
    advisor = next(mappings(configurations.get(OWN_ADVISOR), "webhooks"), None)
    policies = (text(body, "failurePolicy") for body in (injector, *_webhooks(configurations, OWN_VALIDATORS)))
    settings["failurePolicy"] = "Fail" if "Fail" in policies else "Ignore"
    self_test = configurations.get(OWN_SELF_TEST)
    certificate = text(self_test, "metadata", "annotations", "cert-manager.io/inject-ca-from")
    if certificate:
        settings["certificates.injectCAFrom"] = certificate
    for expression in mappings(mapping(injector or advisor, "namespaceSelector"), "matchExpressions"):
        key, operator = text(expression, "key"), text(expression, "operator")
        names = [value for value in sequence(expression, "values") if isinstance(value, str)]
        if (key, operator) == (ADMISSION, "In"):
            settings["namespaces.optIn"] = True
        if (key, operator) == (NAMESPACE_NAME, "NotIn"):
            # The server's own Namespace follows those that are always spared, and what was excluded comes last.
            settings["namespaces.exclude"] = names[len(SPARED) + 1 :]
    return settings


def _webhooks(configurations: Configurations, name: ConfigurationName) -> Iterator[JSON]:
    return mappings(configurations.get(name), "webhooks")


def _of_role(configurations: Configurations, role: JSON | None) -> dict[str, Any]:
    """Whether the workload advisor belongs to it: its configuration tells, or the right to write it."""
    named = any(ADVISOR in sequence(rule, "resourceNames") for rule in mappings(role, "rules"))
    return {"workloadAdvice": named or OWN_ADVISOR in configurations}


def _of_guard(guards: Mapping[tuple[str, str], JSON]) -> dict[str, Any]:
    """The guard's settings, by whichever of its objects are left."""
    policy, binding, waiting = (guards.get(name) for name in GUARDS)
    denies = waiting is not None or "Deny" in sequence(binding, "spec", "validationActions")
    denies = denies or bool(mapping(policy, "spec", "paramKind"))
    conditions = [text(condition, "name") for condition in mappings(policy, "spec", "matchConditions")]
    return {
        "guard": "deny" if denies else "warn" if guards else "off",
        "tokenProjection": guard.TOKEN_CONDITION["name"] not in conditions,
    }


_PORT: Final = re.compile(r".*:([1-9][0-9]{0,4})")


def _of_deployment(deployment: JSON, service: ServiceReference) -> dict[str, Any]:
    """The settings that our Deployment shows."""
    arguments = _arguments(deployment)
    pod = mapping(deployment, "spec", "template", "spec")
    image = Image.parse(text(next(containers(deployment), {}), "image"))
    server = server_deployment([deployment], None, service)
    settings: dict[str, Any] = {
        "image.repository": image.name,
        "image.tag": image.tag,
        "image.digest": image.digest,
        "replicas": number(deployment, "spec", "replicas", default=1),
        "hostNetwork": pod.get("hostNetwork") is True,
        "priorityClassName": text(pod, "priorityClassName"),
        "statusPage": any(argument.partition("=")[0] == "--status-page" for argument in arguments),
        "extraArgs": [argument for argument in arguments if _extra(argument)],
    }
    if server is not None and server.mode == "files":
        settings["certificates.existingSecret"] = server.secret
    for path, name in (("clusterDomain", "cluster-domain"), ("logLevel", "log-level"), ("logFormat", "log-format")):
        if flag(arguments, name):
            settings[path] = flag(arguments, name)
    for path, name in (("port", "addr"), ("adminPort", "admin-addr")):
        match = _PORT.fullmatch(flag(arguments, name))
        if match:
            settings[path] = int(match[1])
    return settings


def _extra(argument: str) -> bool:
    named = argument.partition("=")[0]
    return named.startswith("--") and named.removeprefix("--") not in _WRITTEN
