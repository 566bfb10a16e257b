"""The options of `serve`, and the check that they can be combined."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from webhook.extensions.jaeger import Collector
from webhook.server.admission import MAX_IN_FLIGHT
from webhook.server.reload import Pace
from webhook.server.run import Times


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `serve`; the default paths are those at which Linkerd's own Deployments mount the files.

    `admin_socket` already listens at `admin_addr`, so that early probes wait until the server runs. `service` is the
    Service in front of this server, in Linkerd's namespace: if it is set, the server manages the webhook configurations
    that point to it. `identity` is the name of this replica in the Lease.
    """

    addr: str = ":8443"
    admin_addr: str = ":9995"
    admin_socket: socket.socket | None = None
    tls_dir: Path = Path("/var/run/linkerd/tls")
    values: Path = Path("/var/run/linkerd/config/values")
    trust_anchors: Path = Path("/var/run/linkerd/identity/trust-roots/ca-bundle.crt")
    linkerd_namespace: str = "linkerd"
    release_line: str | None = None
    kubeconfig: Path | None = None
    manifests: Sequence[Path] = ()
    webhook: str | None = None
    service: str | None = None
    certs: Literal["files", "self-managed"] = "files"
    adopt: bool = False
    cluster_domain: str = "cluster.local"
    tap_service: str = ""
    collector: Collector = field(default_factory=Collector)
    identity: str = field(default_factory=socket.gethostname)
    max_in_flight: int = MAX_IN_FLIGHT
    events: bool = True
    explain: bool = False
    status_page: bool = False
    times: Times = field(default_factory=Times)
    pace: Pace = field(default_factory=Pace)


class StartError(Exception):
    """The program cannot start: the message names the file, flag or address, and what to do."""


def check(options: Options) -> None:
    """Check that the options can be combined. Raises `StartError`."""
    if options.service is None and (options.certs == "self-managed" or options.adopt):
        flag = "--adopt" if options.adopt else "--certs=self-managed"
        raise StartError(f"{flag} needs --service NAME: the Service in front of this server")
    if options.explain and options.manifests:
        raise StartError("--explain needs a cluster whose Pods it reads: pass --explain or --manifests, not both")
    if options.status_page and options.manifests:
        raise StartError(
            "--status-page needs a cluster whose Pods it counts: pass --status-page or --manifests, not both"
        )
    if options.service is not None and options.manifests:
        raise StartError(
            "--service needs a cluster whose webhook configurations it manages: pass --service or --manifests, not both"
        )
