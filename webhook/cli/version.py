"""`linkerd-webhook version`: prints the versions of this program, of the server in the cluster, and of Linkerd."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webhook import __version__
from webhook.cli.console import CommandError
from webhook.kube.errors import explain

if TYPE_CHECKING:
    from webhook.kube.api import ApiServer

NAME = "linkerd-webhook"
INJECTOR = "linkerd-proxy-injector"
VERSION_LABEL = "app.kubernetes.io/version"
UNAVAILABLE = "unavailable"

UNWELL = 1


@click.command(short_help="print versions")
@click.option(
    "--short", is_flag=True, help="Print only the versions, one in a line: this program's, then the server's."
)
@click.option("--client", is_flag=True, help="Print only this program's version, without a cluster.")
@click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane.")
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="The cluster. Without it: $KUBECONFIG, or ~/.kube/config."
)
def version(short: bool, client: bool, linkerd_namespace: str, kubeconfig: Path | None) -> None:
    """Print the versions of this program, of the server in the cluster, and of Linkerd (with its release line).

    Exit code: 0 fine, 1 the cluster did not answer to some of that (the rest is printed), 2 a flag is wrong.
    """
    click.echo(__version__ if short else f"Client version: {__version__}")
    if not client:
        asyncio.run(_print_cluster_versions(linkerd_namespace, kubeconfig, short=short))


async def _print_cluster_versions(namespace: str, kubeconfig: Path | None, *, short: bool) -> None:
    from webhook.cli.cluster import connect
    from webhook.kube.api import ConfigurationError
    from webhook.kube.errors import ApiError

    try:
        api = await connect(kubeconfig)
    except ConfigurationError as error:
        raise CommandError(str(error), UNWELL) from None
    try:
        number, where = await _server(api, namespace)
        if short:
            click.echo(number)
            return
        click.echo(f"Server version: {number} ({where})")
        click.echo(f"Linkerd version: {await _linkerd(api, namespace)}")
    except (ApiError, TimeoutError) as error:
        raise CommandError(f"the cluster at {api.host}: {explain(error)}", UNWELL) from None
    finally:
        await api.close()


async def _server(api: ApiServer, namespace: str) -> tuple[str, str]:
    """The server's version, and how it runs. Raises `ApiError` and `TimeoutError`."""
    from webhook.install.images import Image, containers, running_ours
    from webhook.kube.fields import text

    own = await _get(api, f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}")
    if own is not None:
        image = next((text(container, "image") for container in containers(own)), "")
        label = text(own, "metadata", "labels", VERSION_LABEL)
        return label or Image.parse(image).version, f"Deployment {namespace}/{NAME}, image {image or 'unknown'}"
    linkerds = await _get(api, f"/apis/apps/v1/namespaces/{namespace}/deployments/{INJECTOR}")
    for container in running_ours(linkerds or {}):
        image = text(container, "image")
        return Image.parse(image).version, f"Deployment {namespace}/{INJECTOR}, image {image}"
    return UNAVAILABLE, f"not installed in namespace {namespace}"


async def _linkerd(api: ApiServer, namespace: str) -> str:
    """Linkerd's version and release line, or why they are not known. Raises `ApiError` and `TimeoutError`."""
    from webhook.mesh.config import ConfigError, Mesh
    from webhook.mesh.defaults import default_trust_anchors

    config_map = await _get(api, f"/api/v1/namespaces/{namespace}/configmaps/linkerd-config")
    if config_map is None:
        return f"{UNAVAILABLE} (there is no ConfigMap {namespace}/linkerd-config)"
    values = (config_map.get("data") or {}).get("values", "")
    try:
        mesh = Mesh.load(values.encode(), default_trust_anchors())
    except ConfigError as error:
        return f"{UNAVAILABLE} (ConfigMap {namespace}/linkerd-config: {error.problems[0]})"
    guess = "taken for release line" if mesh.unknown_version else "release line"
    return f"{mesh.values.linkerd_version or 'unknown'} ({guess} {mesh.line.name})"


async def _get(api: ApiServer, path: str) -> dict[str, Any] | None:
    """An object, or None where there is none. Raises `ApiError` and `TimeoutError`."""
    from webhook.kube.api import PLAIN

    return await api.find(path, PLAIN)
