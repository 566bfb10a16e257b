"""Reads the Deployment behind the Service: where its certificate comes from, and how many replicas are ready. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from webhook.kube.fields import mapping, sequence
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference

Mode = Literal["self-managed", "files"]

# The default folder of the certificate in `serve` and in Linkerd's own programs.
_TLS_DIR: Final = "/var/run/linkerd/tls"

# The type and status of the conditions of a Deployment that say why its replicas do not become ready.
_TELLING: Final = (("ReplicaFailure", "True"), ("Progressing", "False"))


@dataclass(frozen=True, slots=True)
class ServerDeployment:
    """`mode`: whether the server issues its certificate itself or reads files; `secret`: the Secret that is mounted
    there, "" for none. `wanted` and `ready` count replicas, `why` is what the Deployment says of those that are
    missing.
    """

    name: str
    namespace: str
    mode: Mode
    secret: str
    wanted: int
    ready: int
    selector: str = ""
    why: str = ""

    @property
    def where(self) -> str:
        """Its kind and name, for messages."""
        return f"Deployment {self.namespace}/{self.name}"


def server_deployment(
    deployments: Iterable[JSON], body: JSON | None, service: ServiceReference
) -> ServerDeployment | None:
    """The Deployment whose Pods a Service (`body`, None where there is none) selects; else the one of its name."""
    spec = mapping(mapping(body).get("spec"))
    selector = mapping(spec.get("selector"))
    for deployment in deployments:
        template = mapping(mapping(deployment.get("spec")).get("template"))
        labels = mapping(mapping(template.get("metadata")).get("labels"))
        named = mapping(deployment.get("metadata")).get("name") == service.name
        selected = bool(selector) and selector.items() <= labels.items()
        if selected or (named and not selector):
            return _server(deployment, mapping(template.get("spec")), _targets(spec), service)
    return None


def _server(deployment: JSON, pod: JSON, targets: list[Any], service: ServiceReference) -> ServerDeployment:
    spec, status = mapping(deployment.get("spec")), mapping(deployment.get("status"))
    container = _container(pod, targets)
    arguments = [*sequence(container.get("command")), *sequence(container.get("args"))]
    labels = mapping(mapping(spec.get("selector")).get("matchLabels"))
    return ServerDeployment(
        name=str(mapping(deployment.get("metadata")).get("name", "")),
        namespace=service.namespace,
        mode="self-managed" if flag(arguments, "certs") == "self-managed" else "files",
        secret=_mounted(pod, container, flag(arguments, "tls-dir") or _TLS_DIR),
        wanted=_number(spec.get("replicas"), 1),
        ready=_number(status.get("readyReplicas"), 0),
        selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        why="; ".join(_why(status)),
    )


def _targets(service: JSON) -> list[Any]:
    return [port.get("targetPort", port.get("port")) for port in map(mapping, sequence(service.get("ports")))]


def _container(pod: JSON, targets: list[Any]) -> JSON:
    """The container with a port that the Service targets, else the first."""
    containers = [mapping(container) for container in sequence(pod.get("containers"))]
    for container in containers:
        ports = [mapping(port) for port in sequence(container.get("ports"))]
        if any(port.get(key) in targets for port in ports for key in ("name", "containerPort")):
            return container
    return containers[0] if containers else {}


def flag(arguments: Sequence[Any], name: str) -> str:
    """A flag's value in a container's arguments, "" if it is not given. The forms are `--name=x`, `--name x` and with
    one dash; the last wins."""
    given = ""
    for index, argument in enumerate(map(str, arguments)):
        flag, equals, value = argument.partition("=")
        if flag in (f"--{name}", f"-{name}"):
            given = value if equals else str(arguments[index + 1]) if index + 1 < len(arguments) else ""
    return given


def _mounted(pod: JSON, container: JSON, folder: str) -> str:
    """The name of the Secret that is mounted at a folder, "" if there is none."""
    mounts = [mapping(mount) for mount in sequence(container.get("volumeMounts"))]
    name = next((mount.get("name") for mount in mounts if str(mount.get("mountPath")).rstrip("/") == folder), None)
    volumes = [mapping(volume) for volume in sequence(pod.get("volumes"))]
    volume = next((volume for volume in volumes if name and volume.get("name") == name), {})
    projected = [mapping(source, "secret") for source in sequence(volume, "projected", "sources")]
    secrets = [mapping(volume.get("secret")).get("secretName"), *(secret.get("name") for secret in projected)]
    return str(next((secret for secret in secrets if secret), ""))


def _why(status: JSON) -> Iterator[str]:
    for condition in map(mapping, sequence(status.get("conditions"))):
        if (condition.get("type"), condition.get("status")) in _TELLING:
            yield str(condition.get("message") or condition.get("reason"))


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
