"""`linkerd-webhook review`: the webhooks' answers without a socket, for CI and for trying things out."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from webhook import review as reviews
from webhook.cli.options import extension_options, mesh_options
from webhook.cluster.offline import OfflineCluster
from webhook.injector.inject import Injector
from webhook.manifest import load
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.server.webhooks import Current, ProxyInjector, Registry

ALLOWED, DENIED, UNREADABLE = 0, 1, 2


@click.command(short_help="answer AdmissionReviews from files")
@mesh_options(required=False)
@click.option(
    "--manifests", multiple=True, metavar="PATH", help="Namespaces and owners that exist: a file or a folder."
)
@click.option(
    "--webhook", metavar="NAME", help="Answer as if posted to this webhook's path; else the resource chooses."
)
@extension_options
@click.argument("files", nargs=-1, metavar="[FILE]...")
def review(
    values: str | None,
    trust_anchors: str | None,
    linkerd_namespace: str,
    release_line: str | None,
    manifests: tuple[str, ...],
    webhook: str | None,
    files: tuple[str, ...],
    **_extensions: str,
) -> None:
    """Answer AdmissionReviews, one line each, in order: JSON, JSON Lines or YAML; `-` or no FILE is standard input.

    Without --values and --trust-anchors, Linkerd's defaults stand in for the mesh's configuration.

    Exit code: 0 all were allowed, 1 some were denied, 2 some input was no AdmissionReview (the others are answered).
    """
    injector = _injector(values, trust_anchors, linkerd_namespace, release_line)
    objects, problems = load.load(manifests)
    for problem in problems:
        _say(f"{problem.file}:{problem.line}: {problem.message}; going on without it")
    try:
        registry = Registry([ProxyInjector(Current(injector), OfflineCluster(objects))], webhook)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(asyncio.run(_answer_all(registry, files or (load.STDIN,))))


def _injector(values: str | None, trust_anchors: str | None, namespace: str, line: str | None) -> Injector:
    try:
        mesh = Mesh.load(
            _read(values, "values") if values else default_values(),
            _read(trust_anchors, "trust anchors") if trust_anchors else default_trust_anchors(),
            linkerd_namespace=namespace,
            release_line=line,
        )
    except ConfigError as error:
        raise _Unusable(f"{values}: {error}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for warning in mesh.warnings:
        _say(warning)
    injector = Injector(mesh)
    if injector.refusal is not None:
        _say(f"every injection will be refused: {injector.refusal.message}")
    return injector


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _Unusable(f"cannot read the {what} from {path}: {error.strerror}") from None


class _Unusable(click.ClickException):
    exit_code = UNREADABLE


async def _answer_all(registry: Registry, files: tuple[str, ...]) -> int:
    """Answer every review; what is none is told at the end. The exit code comes out."""
    denied = False
    unreadable: list[str] = []
    for file in files:
        for found in load.read(file):
            if isinstance(found, load.Problem):
                unreadable.append(f"{found.file}:{found.line}: {found.message}")
                continue
            try:
                request = reviews.from_object(found.body)
            except reviews.ReviewError as error:
                unreadable.append(f"{found.file}:{found.line}: {error.message}")
                if error.uid is not None and error.api_version is not None:
                    _print(error.uid, error.api_version, reviews.deny(error.message))
                continue
            answer = await registry.choose("/", request).answer(request)
            denied = denied or not answer.allowed
            _print(request.uid, request.api_version, answer)
    sys.stdout.buffer.flush()
    for line in unreadable:
        _say(line)
    return UNREADABLE if unreadable else DENIED if denied else ALLOWED


def _print(uid: str, api_version: str, answer: reviews.Answer) -> None:
    sys.stdout.buffer.write(reviews.render(uid, api_version, answer) + b"\n")


def _say(text: str) -> None:
    click.echo(text, err=True)
