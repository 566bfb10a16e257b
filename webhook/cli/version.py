"""`linkerd-webhook version`: prints the versions of this program, of the server in the cluster, and of Linkerd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane.")
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="The cluster. Without it: $KUBECONFIG, or ~/.kube/config."
)
def version(short: bool, client: bool, output: str, linkerd_namespace: str, kubeconfig: Path | None) -> None:
    """Print the versions of this program, of the server in the cluster, and of Linkerd (with its release line).

    Exit code: 0 fine, 1 the cluster did not answer to some of that (the rest is printed), 2 a flag is wrong.
    """
    if short and output == "json":
        raise click.UsageError("--short and -o json exclude each other: pass one of them")
    if output == "json":
        asyncio.run(_print_json(linkerd_namespace, kubeconfig, client=client))
        return
    click.echo(__version__ if short else f"Client version: {__version__}")
    if not client:
        asyncio.run(_print_text(linkerd_namespace, kubeconfig, short=short))


class ServerVersion(NamedTuple):
    """The server in the cluster: its Deployment's name, "" where it is not installed, and the image of that."""

    version: str = UNAVAILABLE
    deployment: str = ""
    image: str = ""


class LinkerdVersion(NamedTuple):
    """Linkerd's version and release line, or why they are not known. `known` is whether the line is that of just this
    version."""

    version: str = UNAVAILABLE
    release_line: str = ""
    known: bool = False
    problem: str = ""


async def _print_text(namespace: str, kubeconfig: Path | None, *, short: bool) -> None:
    async with _connected(kubeconfig) as api:
        server = await _server(api, namespace)
        if short:
            click.echo(server.version)
            return
        image = f", image {server.image or 'unknown'}"
        where = f"Deployment {namespace}/{server.deployment}{image}" if server.deployment else ""
        click.echo(f"Server version: {server.version} ({where or f'not installed in namespace {namespace}'})")
        linkerd = await _linkerd(api, namespace)
        guess = "release line" if linkerd.known else "taken for release line"
        click.echo(f"Linkerd version: {linkerd.version} ({linkerd.problem or f'{guess} {linkerd.release_line}'})")


async def _print_json(namespace: str, kubeconfig: Path | None, *, client: bool) -> None:
    """One object: what the cluster did not answer to is null."""
    import json

    body: dict[str, Any] = {"client": {"version": __version__}, "server": None, "linkerd": None}
    try:
        if not client:
            async with _connected(kubeconfig) as api:
                server = await _server(api, namespace)
                body["server"] = {"namespace": namespace, **{key: text or None for key, text in _known(server).items()}}
                body["linkerd"] = _known(await _linkerd(api, namespace))
    finally:
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))


def _known(version: ServerVersion | LinkerdVersion) -> dict[str, Any]:
    """A version for programs: null for what is not known."""
    if isinstance(version, ServerVersion):
        number = version.version if version.deployment else ""
        return {"version": number, "deployment": version.deployment, "image": version.image}
    return {
        "version": None if version.problem else version.version,
        "releaseLine": version.release_line or None,
        "releaseLineKnown": version.known,
        "problem": version.problem or None,
    }


@asynccontextmanager
async def _connected(kubeconfig: Path | None) -> AsyncIterator[ApiServer]:
    """The API server. Raises `CommandError` for what fails within the block, too."""
    from webhook.cli.cluster import connect
    from webhook.kube.api import ConfigurationError
    from webhook.kube.errors import ApiError

    try:
        api = await connect(kubeconfig)
    except ConfigurationError as error:
        raise CommandError(str(error), UNWELL) from None
    try:
        yield api
    except (ApiError, TimeoutError) as error:
        raise CommandError(f"the cluster at {api.host}: {explain(error)}", UNWELL) from None
    finally:
        await api.close()


async def _server(api: ApiServer, namespace: str) -> ServerVersion:
    """The server's version, and how it runs. Raises `ApiError` and `TimeoutError`."""
    from webhook.install.images import Image, containers, running_ours
    from webhook.kube.fields import text

    own = await _get(api, f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}")
    if own is not None:
        image = next((text(container, "image") for container in containers(own)), "")
        label = text(own, "metadata", "labels", VERSION_LABEL)
        return ServerVersion(label or Image.parse(image).version, NAME, image)
    linkerds = await _get(api, f"/apis/apps/v1/namespaces/{namespace}/deployments/{INJECTOR}")
    for container in running_ours(linkerds or {}):
        image = text(container, "image")
        return ServerVersion(Image.parse(image).version, INJECTOR, image)
    return ServerVersion()


async def _linkerd(api: ApiServer, namespace: str) -> LinkerdVersion:
    """Linkerd's version and release line. Raises `ApiError` and `TimeoutError`."""
    from webhook.mesh.config import ConfigError, Mesh
    from webhook.mesh.configmaps import Unusable, read_values, where
    from webhook.mesh.defaults import default_trust_anchors

    try:
        mesh = Mesh.load((await read_values(api, namespace)).encode(), default_trust_anchors())
    except Unusable as error:
        return LinkerdVersion(problem=str(error))
    except ConfigError as error:
        return LinkerdVersion(problem=f"{where(namespace)}: {error.problems[0]}")
    return LinkerdVersion(mesh.values.linkerd_version or "unknown", mesh.line.name, not mesh.unknown_version)


async def _get(api: ApiServer, path: str) -> dict[str, Any] | None:
    """An object, or None where there is none. Raises `ApiError` and `TimeoutError`."""
    from webhook.kube.api import PLAIN

    return await api.find(path, PLAIN)
