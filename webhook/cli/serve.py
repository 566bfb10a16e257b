"""`linkerd-webhook serve`: the HTTPS server."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from webhook.cli.console import CommandError
from webhook.cli.options import collector_of, extension_options, mesh_options

LEVELS = ("panic", "fatal", "error", "warn", "warning", "info", "debug", "trace")


@click.command(context_settings={"show_default": True})
@click.option("--addr", default=":8443", help="Address to serve HTTPS on.")
@click.option("--admin-addr", default=":9995", help="Address to serve metrics, probes and the status page on (HTTP).")
@click.option(
    "--tls-dir", type=click.Path(path_type=Path), default="/var/run/linkerd/tls", help="Folder of tls.crt and tls.key."
)
@mesh_options(required=True)
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="The cluster. Without it: the one in which the server runs."
)
@click.option(
    "--manifests",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Manifests of what exists (Namespaces, owners, what policies refer to), instead of a cluster. Repeatable.",
)
@click.option(
    "--service",
    metavar="NAME",
    help="Service in front of the server, in the control plane's namespace. The server then keeps the caBundles of the "
    "webhook configurations that point to it.",
)
@click.option(
    "--certs",
    type=click.Choice(("files", "self-managed")),
    default="files",
    help="Where the certificate comes from: from --tls-dir, or the server issues and rotates it (needs --service).",
)
@click.option("--adopt", is_flag=True, help="Point Linkerd's own webhook configurations to --service.")
@click.option("--webhook", help='Webhook that answers on the path "/". By default, the resource decides.')
@click.option(
    "--max-in-flight", type=click.IntRange(min=1), default=256, help="Requests answered at once; others get 429."
)
@click.option(
    "--shutdown-delay", type=click.FloatRange(0, 10), default=3.0, help="Seconds to go on answering after SIGTERM."
)
@click.option("--no-events", is_flag=True, help="Record no Events on workloads.")
@click.option(
    "--explain",
    is_flag=True,
    help="Answer /explain?namespace=NAME&pod=NAME on the admin port: why a Pod is meshed.",
)
@click.option(
    "--status-page",
    is_flag=True,
    help="Count on the status page, by Namespace, which Pods are meshed. Needs the right to list Pods.",
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", help="What is logged.")
@click.option("--log-format", type=click.Choice(("plain", "json")), default="plain", help="How it is logged.")
@extension_options
@click.pass_context
def serve(
    context: click.Context,
    /,
    *,
    addr: str,
    admin_addr: str,
    tls_dir: Path,
    values: str,
    trust_anchors: str,
    linkerd_namespace: str,
    release_line: str | None,
    kubeconfig: Path | None,
    manifests: tuple[Path, ...],
    service: str | None,
    certs: Literal["files", "self-managed"],
    adopt: bool,
    webhook: str | None,
    cluster_domain: str,
    max_in_flight: int,
    shutdown_delay: float,
    no_events: bool,
    explain: bool,
    status_page: bool,
    log_level: str,
    log_format: str,
    tap_service_name: str,
    **collector: str,
) -> None:
    """Answer admission requests over HTTPS until SIGTERM.

    Exit code: 0 ended by SIGTERM or Ctrl-C, 2 a flag or a file is wrong, or a port is taken.
    """
    from webhook.server import listen

    try:
        # Bound before everything else, so that an early probe waits for its answer instead of being refused.
        admin_socket = listen.bind(listen.parse(admin_addr), "--admin-addr")
    except listen.AddressError as error:
        raise CommandError(str(error)) from None
    # The server's libraries take a second to import: not for `--help`, nor for a wrong flag.
    from webhook.server import log as logs
    from webhook.server.options import Options, StartError
    from webhook.server.program import run
    from webhook.server.run import Times

    options = Options(
        addr=addr,
        admin_addr=admin_addr,
        admin_socket=admin_socket,
        tls_dir=tls_dir,
        values=Path(values),
        trust_anchors=Path(trust_anchors),
        linkerd_namespace=linkerd_namespace,
        release_line=release_line,
        kubeconfig=kubeconfig,
        manifests=manifests,
        webhook=webhook,
        service=service,
        certs=certs,
        adopt=adopt,
        cluster_domain=cluster_domain,
        tap_service=tap_service_name,
        collector=collector_of(collector, cluster_domain, linkerd_namespace),
        identity=os.environ.get("POD_NAME") or socket.gethostname(),
        max_in_flight=max_in_flight,
        events=not no_events,
        explain=explain,
        status_page=status_page,
        times=Times(shutdown_delay=shutdown_delay),
    )
    lines = logs.configure(log_level, log_format)
    notes = list(context.obj or ())
    if service is None and not collector["collector_svc_addr"] and _is_given(context, "cluster_domain"):
        notes.append("flag --cluster-domain has no effect without --service or --collector-svc-addr")
    try:
        run(options, lines, notes)
    except StartError as error:
        lines.flush()
        raise CommandError(str(error)) from None
    finally:
        admin_socket.close()


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
