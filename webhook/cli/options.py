"""Options that several commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook.cli.cluster import ClusterAccess, namespace_of
from webhook.cli.console import CommandError, print_message
from webhook.cli.linkerdcli import groups
from webhook.extensions.jaeger import Collector

F = TypeVar("F", bound=Callable[..., Any])

VALUES = "/var/run/linkerd/config/values"
TRUST_ANCHORS = "/var/run/linkerd/identity/trust-roots/ca-bundle.crt"


def check_namespace(name: str) -> None:
    """Check the value of --linkerd-namespace. Raises `CommandError`."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
        raise CommandError(f'--linkerd-namespace "{name}": write the name of a Namespace, such as linkerd')


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
        click.option(
            "--collector-trace-svc-name", default="", help="Service name that proxies give their traces (jaeger)."
        ),
        click.option("--collector-trace-protocol", default="", help="Protocol of the trace collector (jaeger)."),
        click.option("--collector-svc-account", default="", help="Service account of the trace collector (jaeger)."),
        click.option(
            "--collector-svc-addr", default="", help="Address of the trace collector (jaeger); empty: no tracing."
        ),
        click.option("--tap-service-name", default="", help="Identity of the tap service (tap)."),
    ):
        command = option(command)
    return command


def collector_of(options: Mapping[str, str], cluster_domain: str, linkerd_namespace: str) -> Collector:
    """The trace collector that the options of `extension_options` name."""
    return Collector(
        address=options["collector_svc_addr"],
        account=options["collector_svc_account"],
        protocol=options["collector_trace_protocol"],
        service_name=options["collector_trace_svc_name"],
        cluster_domain=cluster_domain,
        linkerd_namespace=linkerd_namespace,
    )


@dataclass(frozen=True, slots=True)
class ClusterFlags:
    """What the flags of `cluster_options` say. `linkerd_namespace` is that of the control plane; `verbose` has each
    request to the API server logged."""

    kubeconfig: Path | None
    context: str | None
    user: str
    groups: tuple[str, ...]
    linkerd_namespace: str
    verbose: bool

    @property
    def access(self) -> ClusterAccess:
        """The cluster, and as whom it is asked."""
        log = print_message if self.verbose else None
        return ClusterAccess(self.kubeconfig, self.context, self.user, self.groups, log)

    @property
    def namespace(self) -> str:
        """The Namespace of the kubeconfig's context, `default` where that names none."""
        return namespace_of(self.kubeconfig, self.context)


def cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a cluster and a user, as kubectl and Linkerd's CLI have them, to a command of the class
    `LinkerdCommand`. It gets their values in one, `cluster`: `ClusterFlags`."""

    @functools.wraps(command)
    def bundled(
        *,
        kubeconfig: Path | None,
        context: str | None,
        as_user: str,
        as_groups: tuple[str, ...],
        linkerd_namespace: str,
        verbose: bool,
        api_addr: str | None,
        **others: Any,
    ) -> None:
        flags = ClusterFlags(kubeconfig, context, as_user, as_groups, linkerd_namespace, verbose)
        command(cluster=flags, **others)

    for option in (
        click.option("--verbose", is_flag=True, help="Log each request to the API server on standard error."),
        click.option(
            "-L",
            "--linkerd-namespace",
            envvar="LINKERD_NAMESPACE",
            default="linkerd",
            show_default=True,
            help="Namespace of the control plane.",
        ),
        click.option("--api-addr", metavar="HOST:PORT", help="Accepted, as Linkerd's CLI passes it; has no effect."),
        click.option(
            "--as-group", "as_groups", metavar="GROUP", multiple=True, callback=groups, help="With --as. Repeatable."
        ),
        click.option("--as", "as_user", metavar="USER", default="", help="Ask the API server as this user."),
        click.option("--context", metavar="NAME", help="The kubeconfig's context, instead of the current one."),
        click.option(
            "--kubeconfig",
            type=click.Path(path_type=Path),
            help="The cluster. Without it: $KUBECONFIG, or ~/.kube/config.",
        ),
    ):
        bundled = option(bundled)
    return bundled
