"""`linkerd-webhook inject`: manifests whose workloads ask for the proxy, or have it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook.cli.console import CommandError, print_message
from webhook.cli.linkerdcli import LinkerdCommand
from webhook.cli.meshing import Output, output_options, rewrite, templates_option
from webhook.cli.options import ClusterFlags, check_namespace, cluster_options
from webhook.meshing.flags import FLAGS, FlagError, of_pods

if TYPE_CHECKING:
    from webhook.cli.cluster import ClusterAccess
    from webhook.injector.inject import Injector
    from webhook.mesh.config import Mesh
    from webhook.meshing.inject import ManifestInjector
    from webhook.meshing.templates import PodTemplates

F = TypeVar("F", bound=Callable[..., Any])

REGISTRY = "LINKERD_DOCKER_REGISTRY"


def proxy_options(command: F) -> F:
    """Add the flags that set something of the proxy."""
    for flag in reversed(FLAGS):
        long = f"--{flag.name}/--no-{flag.name}" if flag.kind == "switch" else f"--{flag.name}"
        names = [long, *([f"-{flag.short}"] if flag.short else [])]
        name = f"proxy_flag_{flag.name.replace('-', '_')}"
        shape: dict[str, Any] = {"help": flag.help, "default": None, "hidden": bool(flag.instead)}
        if flag.kind == "list":
            shape |= {"metavar": "PORTS", "multiple": True}
        command = click.option(*names, name, **shape)(command)
    return command


@click.command(cls=LinkerdCommand, short_help="have manifests meshed")
@click.option("--manual", is_flag=True, help="Put in the proxy itself, as the webhook would.")
@click.option("--ingress/--no-ingress", default=None, help="Run the proxy in ingress mode.")
@click.option("--enable-debug-sidecar", is_flag=True, help="With the container for debugging.")
@click.option("--close-wait-timeout", metavar="DURATION", default="", help="nf_conntrack_tcp_timeout_close_wait.")
@click.option("--registry", envvar=REGISTRY, metavar="NAME", default="", help="Registry of the images.")
@click.option("--disable-identity", is_flag=True, hidden=True)
@proxy_options
@click.option("--ignore-cluster", is_flag=True, help="Take Linkerd's defaults in place of the cluster's values.")
@click.option("--values", metavar="FILE", help="The control plane's values, in place of the cluster's.")
@click.option("--trust-anchors", metavar="FILE", help="The mesh's trust anchors (PEM), in place of the cluster's.")
@click.option("--release-line", metavar="LINE", help="Linkerd's release line, instead of what the values say.")
@templates_option
@output_options
@cluster_options
def inject(
    manual: bool,
    ingress: bool | None,
    enable_debug_sidecar: bool,
    close_wait_timeout: str,
    registry: str,
    disable_identity: bool,
    ignore_cluster: bool,
    values: str | None,
    trust_anchors: str | None,
    release_line: str | None,
    templates: PodTemplates,
    output: str,
    check: bool,
    diff: bool,
    in_place: bool,
    keep_going: bool,
    report_form: str,
    paths: tuple[str, ...],
    cluster: ClusterFlags,
    **flags: Any,
) -> None:
    """Have the workloads of manifests meshed: their Pod templates ask for the proxy, or with --manual have it.

    \b
        kubectl get deploy -o yaml | linkerd-webhook inject - | kubectl apply -f -

    PATH is a file, a folder, an address (https://…) or -, standard input: YAML or JSON, Lists too. A line that nothing
    changes stays as it is, with its comments and quotes. What was injected before is taken out first.

    Where a document cannot be read or a workload cannot be injected, nothing is put out, and every problem is named.

    Exit code: 0 done (with --check: nothing would change), 1 not everything can be injected (with --check: something
    would change), 2 a flag is wrong or a path cannot be read.
    """
    from webhook.injector.inject import Injector
    from webhook.meshing import report

    check_namespace(cluster.linkerd_namespace)
    if disable_identity:
        raise CommandError("--disable-identity: every proxy has an identity: leave the flag out")
    source = Source(read(values), read(trust_anchors), ignore_cluster, release_line, cluster.linkerd_namespace)
    injector = Injector(source.mesh(cluster.access, manual=manual))
    try:
        change = manifest_injector(
            injector,
            _given(flags),
            registry,
            ingress,
            of_pods(debug=enable_debug_sidecar, close_wait=close_wait_timeout),
            templates,
            manual=manual,
        ).inject
    except FlagError as error:
        raise CommandError(str(error)) from None
    how = Output(output, report_form, check, diff, in_place, keep_going)
    sys.exit(rewrite(paths, change, functools.partial(report.injection, verbose=cluster.verbose), how))


def _given(flags: Mapping[str, Any]) -> dict[str, str]:
    """The values of the flags that are given, by name."""
    given: dict[str, str] = {}
    for flag in FLAGS:
        value = flags.get(f"proxy_flag_{flag.name.replace('-', '_')}")
        if value is None or value == ():
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        given[flag.name] = ",".join(value) if isinstance(value, tuple) else value
        if flag.instead:
            print_message(f"--{flag.name} is deprecated: use {flag.instead}")
    return given


def manifest_injector(
    injector: Injector,
    given: Mapping[str, str],
    registry: str,
    ingress: bool | None,
    of_pods: Mapping[str, str],
    templates: PodTemplates,
    *,
    manual: bool,
) -> ManifestInjector:
    """What injects with these flags. Raises `FlagError`."""
    from webhook.meshing.flags import cores, of_ingress, overrides
    from webhook.meshing.inject import ManifestInjector

    annotations = overrides(injector, given, registry)
    if ingress is not None:
        annotations |= of_ingress(injector, ingress=ingress)
    return ManifestInjector(injector, annotations, of_pods, cores(injector, given), templates, manual)


def read(file: str | None) -> bytes | None:
    """What stands in a file. Raises `CommandError`."""
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the mesh's configuration comes from: `values` and `trust_anchors` are texts, None for the cluster's, or for
    Linkerd's defaults where the cluster is to be ignored."""

    values: bytes | None
    trust_anchors: bytes | None
    ignore_cluster: bool
    release_line: str | None
    namespace: str

    def mesh(self, access: ClusterAccess, *, manual: bool) -> Mesh:
        """The configuration. Raises `CommandError`."""
        from webhook.mesh.config import ConfigError, Mesh
        from webhook.mesh.defaults import default_trust_anchors, default_values

        values, anchors = self.values, self.trust_anchors
        if self.ignore_cluster or values is not None:
            if anchors is None and manual:
                raise CommandError("--manual needs the mesh's trust anchors: pass --trust-anchors FILE")
            values = default_values() if values is None else values
            anchors = default_trust_anchors() if anchors is None else anchors
        else:
            import asyncio

            values, of_cluster = asyncio.run(self._of_cluster(access))
            anchors = of_cluster if anchors is None else anchors
        try:
            mesh = Mesh.load(values, anchors, linkerd_namespace=self.namespace, release_line=self.release_line)
        except (ConfigError, ValueError) as error:
            raise CommandError(str(error)) from None
        for warning in mesh.warnings:
            print_message(warning)
        return mesh

    async def _of_cluster(self, access: ClusterAccess) -> tuple[bytes, bytes]:
        """Values and trust anchors of the control plane's ConfigMaps. Raises `CommandError`."""
        from webhook.cli.cluster import connect_as
        from webhook.kube.api import ConfigurationError
        from webhook.kube.errors import ApiError, explain
        from webhook.mesh.configmaps import Unusable, read_trust_anchors, read_values

        hint = "pass --ignore-cluster to take Linkerd's defaults, or --values FILE"
        try:
            api = await connect_as(access)
        except ConfigurationError as error:
            raise CommandError(f"{error}; or {hint}") from None
        try:
            values = await read_values(api, self.namespace)
            return values.encode(), (await read_trust_anchors(api, self.namespace)).encode()
        except Unusable as error:
            raise CommandError(f"{error}: {hint}") from None
        except (ApiError, TimeoutError) as error:
            raise CommandError(f"the cluster at {api.host}: {explain(error)}; {hint}") from None
        finally:
            await api.close()
