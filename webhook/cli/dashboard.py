"""`linkerd-webhook dashboard`: the status page of a replica, in the browser, by port-forward."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from webhook.cli.console import CommandError, log_warnings, print_message
from webhook.cli.linkerdcli import LinkerdCommand, wait
from webhook.cli.options import ClusterFlags, check_namespace, cluster_options

if TYPE_CHECKING:
    from webhook.cli.cluster import ClusterAccess

UNWELL: Final = 1

PORT: Final = 50750
# What the status page takes for the name of this machine.
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@click.command(cls=LinkerdCommand, short_help="show the status page of a replica")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Local port; 0: any that is free.",
)
@click.option("--address", default="localhost", show_default=True, metavar="ADDRESS", help="Local address.")
@click.option(
    "--show",
    type=click.Choice(("page", "url")),
    default="page",
    show_default=True,
    help="Open the page in a browser, or only print its address.",
)
@click.option(
    "--wait",
    "seconds",
    metavar="DURATION",
    default="5m",
    show_default=True,
    callback=wait,
    help="How long to wait for a ready Pod; 0s: look once.",
)
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@cluster_options
def dashboard(
    port: int,
    address: str,
    show: str,
    seconds: float,
    output: str,
    cluster: ClusterFlags,
) -> None:
    """Show the status page of a replica in a browser: a local port is forwarded to the admin port of a ready Pod, and
    to the next one when that Pod goes.

    The address of the page goes to standard output. It takes the right to list Pods and to forward ports to them, in
    the namespace of Linkerd's control plane: install --rbac-for dashboard prints it.

    Exit code: 0 ended by Ctrl-C, 1 the port is taken, no Pod is ready in time, a right is missing, or there is no
    cluster, 2 a flag is wrong.
    """
    check_namespace(cluster.linkerd_namespace)
    log_warnings()
    shown = _Shown(address, show == "page", output == "json")
    # Ctrl-C is how it ends.
    with suppress(KeyboardInterrupt):
        asyncio.run(_forward(cluster.access, cluster.linkerd_namespace, port, seconds, shown))


class _Shown:
    """What becomes of the page's address."""

    def __init__(self, address: str, in_browser: bool, as_json: bool) -> None:
        self.address = address
        self._in_browser = in_browser
        self._as_json = as_json

    def started(self, listener: socket.socket, pod: str) -> None:
        """The port is forwarded to a Pod: print the address, and open it."""
        url = self._url(listener.getsockname()[1])
        click.echo(json.dumps({"url": url, "pod": pod}) if self._as_json else url)
        print_message(f"forwarding to Pod {pod}; Ctrl-C ends it")
        if self.address not in _LOOPBACK:
            print_message(
                f"note: the page answers only to localhost: whoever opens it by another name of {self.address} gets 403"
            )
        if self._in_browser:
            # A browser of the terminal's ends when its user ends it.
            threading.Thread(target=_open, args=(url,), daemon=True).start()

    def _url(self, port: int) -> str:
        host = "localhost" if self.address in ("", "0.0.0.0", "::") else self.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        print_message(f"there is no browser here: open {url} yourself, or pass --show url")


async def _forward(access: ClusterAccess, namespace: str, port: int, seconds: float, shown: _Shown) -> None:
    """Forward until it is cancelled. Raises `CommandError`."""
    from webhook.cli.cluster import connect_as
    from webhook.cli.spinner import spinning
    from webhook.diagnosis.forwarding import ForwardError, Forwarding, bind
    from webhook.kube.api import ConfigurationError

    try:
        api = await connect_as(access)
    except ConfigurationError as error:
        raise CommandError(str(error), UNWELL) from None
    listeners: list[socket.socket] = []
    try:
        listeners = bind(shown.address, port)
        forwarding = Forwarding(api, namespace, print_message)
        async with spinning(lambda: "waiting for a ready Pod of linkerd-webhook", enabled=access.log is None):
            pod = await forwarding.find(seconds)
        for listener in listeners:
            await asyncio.start_server(forwarding.serve, sock=listener)
        shown.started(listeners[0], pod.pod)
        await asyncio.Event().wait()
    except ForwardError as error:
        raise CommandError(str(error), UNWELL) from None
    finally:
        for listener in listeners:
            listener.close()
        await api.close()
