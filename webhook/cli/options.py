"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

VALUES = "/var/run/linkerd/config/values"
TRUST_ANCHORS = "/var/run/linkerd/identity/trust-roots/ca-bundle.crt"


def mesh_options(*, required: bool) -> Callable[[F], F]:
    """Add the options for the mesh's configuration. `required`: by default, its files are where Linkerd mounts them."""

    def add(command: F) -> F:
        for option in (
            click.option(
                "--release-line", metavar="LINE", help="Linkerd's release line, instead of what the values say."
            ),
            click.option(
                "--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane."
            ),
            click.option(
                "--trust-anchors",
                default=TRUST_ANCHORS if required else None,
                show_default=required,
                metavar="FILE",
                help="The mesh's trust anchors (PEM).",
            ),
            click.option(
                "--values",
                default=VALUES if required else None,
                show_default=required,
                metavar="FILE",
                help="The control plane's values, as the linkerd-config ConfigMap has them.",
            ),
        ):
            command = option(command)
        return command

    return add


def extension_options(command: F) -> F:
    """Add the options of Linkerd's extensions, named as in Linkerd's own programs."""
    for option in (
        click.option("--cluster-domain", default="cluster.local", show_default=True, help="DNS domain of the cluster."),
        click.option("--collector-svc-account", default="", help="Service account of the trace collector (jaeger)."),
        click.option("--collector-svc-addr", default="", help="Address of the trace collector (jaeger)."),
        click.option("--tap-service-name", default="", help="Identity of the tap service (tap)."),
    ):
        command = option(command)
    return command
