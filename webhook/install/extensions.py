"""Linkerd's extensions viz and jaeger: what the server has to be told to answer for their injectors. Pure.

Their Deployments name it in arguments, as `-tap-service-name=…`, and the flags of our server have the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from webhook.install.adoption import JAEGER_INJECTOR, TAP_INJECTOR
from webhook.install.images import containers
from webhook.install.server_deployment import flag
from webhook.kube.fields import sequence, text
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ConfigurationName


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension with an injector. `container` is that of its Deployment; `flags` are the arguments that say what it
    injects, of which the first must not be empty; `shared` are those that it has in common with the control plane."""

    name: str
    configuration: ConfigurationName
    container: str
    flags: tuple[str, ...]
    shared: tuple[str, ...] = ()

    @property
    def needs(self) -> str:
        """The flag without which the server adds nothing to Pods."""
        return self.flags[0]


EXTENSIONS: Final = (
    Extension("viz", TAP_INJECTOR, "tap-injector", ("tap-service-name",)),
    Extension(
        "jaeger",
        JAEGER_INJECTOR,
        "jaeger-injector",
        (
            "collector-svc-addr",
            "collector-svc-account",
            "collector-trace-protocol",
            "collector-trace-svc-name",
        ),
        ("cluster-domain", "linkerd-namespace"),
    ),
)


def served(arguments: Sequence[Any]) -> tuple[Extension, ...]:
    """The extensions for which a server with these arguments answers."""
    return tuple(extension for extension in EXTENSIONS if flag(arguments, extension.needs))


def injector_arguments(extension: Extension, deployments: Iterable[JSON]) -> list[str] | None:
    """The arguments of the extension's injector, None where none of these Deployments runs it."""
    for deployment in deployments:
        for container in containers(deployment):
            if text(container, "name") == extension.container:
                given = (*sequence(container, "command"), *sequence(container, "args"))
                return [str(argument) for argument in given]
    return None


def server_arguments(extension: Extension, arguments: Sequence[str]) -> list[str]:
    """The flags for our server, by the arguments of the extension's injector; none where it injects nothing."""
    if not flag(arguments, extension.needs):
        return []
    return [f"--{name}={value}" for name in extension.flags if (value := flag(arguments, name))]
