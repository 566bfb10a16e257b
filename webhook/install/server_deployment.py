"""Reads the Deployment behind the Service: where its certificate comes from, and how many replicas are ready. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

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
    spec = _dict(_dict(body).get("spec"))
    selector = _dict(spec.get("selector"))
    for deployment in deployments:
        template = _dict(_dict(deployment.get("spec")).get("template"))
        labels = _dict(_dict(template.get("metadata")).get("labels"))
        named = _dict(deployment.get("metadata")).get("name") == service.name
        selected = bool(selector) and selector.items() <= labels.items()
        if selected or (named and not selector):
            return _server(deployment, _dict(template.get("spec")), _targets(spec), service)
    return None


def _server(deployment: JSON, pod: JSON, targets: list[Any], service: ServiceReference) -> ServerDeployment:
    spec, status = _dict(deployment.get("spec")), _dict(deployment.get("status"))
    container = _container(pod, targets)
    arguments = [*_list(container.get("command")), *_list(container.get("args"))]
    labels = _dict(_dict(spec.get("selector")).get("matchLabels"))
    return ServerDeployment(
        name=str(_dict(deployment.get("metadata")).get("name", "")),
        namespace=service.namespace,
        mode="self-managed" if _flag(arguments, "certs") == "self-managed" else "files",
        secret=_mounted(pod, container, _flag(arguments, "tls-dir") or _TLS_DIR),
        wanted=_number(spec.get("replicas"), 1),
        ready=_number(status.get("readyReplicas"), 0),
        selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        why="; ".join(_why(status)),
    )


def _targets(service: JSON) -> list[Any]:
    return [port.get("targetPort", port.get("port")) for port in map(_dict, _list(service.get("ports")))]


def _container(pod: JSON, targets: list[Any]) -> JSON:
    """The container with a port that the Service targets, else the first."""
    containers = [_dict(container) for container in _list(pod.get("containers"))]
    for container in containers:
        ports = [_dict(port) for port in _list(container.get("ports"))]
        if any(port.get(key) in targets for port in ports for key in ("name", "containerPort")):
            return container
    return containers[0] if containers else {}


def _flag(arguments: list[Any], name: str) -> str:
    """A flag's value, "" if it is not given. The forms are `--name=x`, `--name x` and with one dash; the last wins."""
    given = ""
    for index, argument in enumerate(map(str, arguments)):
        flag, equals, value = argument.partition("=")
        if flag in (f"--{name}", f"-{name}"):
            given = value if equals else str(arguments[index + 1]) if index + 1 < len(arguments) else ""
    return given


def _mounted(pod: JSON, container: JSON, folder: str) -> str:
    """The name of the Secret that is mounted at a folder, "" if there is none."""
    mounts = [_dict(mount) for mount in _list(container.get("volumeMounts"))]
    name = next((mount.get("name") for mount in mounts if str(mount.get("mountPath")).rstrip("/") == folder), None)
    volumes = [_dict(volume) for volume in _list(pod.get("volumes"))]
    volume = next((volume for volume in volumes if name and volume.get("name") == name), {})
    projected = [_dict(_dict(source).get("secret")) for source in _list(_dict(volume.get("projected")).get("sources"))]
    secrets = [_dict(volume.get("secret")).get("secretName"), *(secret.get("name") for secret in projected)]
    return str(next((secret for secret in secrets if secret), ""))


def _why(status: JSON) -> Iterator[str]:
    for condition in map(_dict, _list(status.get("conditions"))):
        if (condition.get("type"), condition.get("status")) in _TELLING:
            yield str(condition.get("message") or condition.get("reason"))


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> JSON:
    return value if isinstance(value, dict) else {}
