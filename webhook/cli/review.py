"""`linkerd-webhook review`: answers AdmissionReviews from files, without a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import orjson
import yaml

from webhook import review as reviews
from webhook.cli.console import CommandError, print_line, print_message
from webhook.cli.options import collector_of, extension_options, mesh_options
from webhook.cluster.catalog import OfflineCatalog
from webhook.cluster.offline import OfflineCluster
from webhook.extensions.jaeger import Collector
from webhook.injector.inject import Injector
from webhook.manifest import files, load
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.review import JSON, AdmissionRequest, ReviewError
from webhook.webhooks.interface import AdmissionWebhook, Current
from webhook.webhooks.jaeger_injector import JaegerInjector
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.registry import Registry
from webhook.webhooks.tap_injector import TapInjector
from webhook.webhooks.validators import VALIDATORS, Validator
from webhook.webhooks.workload_advisor import WorkloadAdvisor
from webhook.yaml.objects import Build, Loader

ALLOWED, DENIED, UNREADABLE = 0, 1, 2


@click.command(short_help="answer AdmissionReviews from files")
@mesh_options(required=False)
@click.option(
    "--manifests",
    multiple=True,
    metavar="PATH",
    help="File or folder of manifests of what exists (Namespaces, owners, what policies refer to). Repeatable.",
)
@click.option(
    "--webhook", metavar="NAME", help="Answer as this webhook. By default, the resource of each request decides."
)
@click.option("--allow-empty", is_flag=True, help="Exit with 0 even if there is no AdmissionReview.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("json",)),
    default="json",
    show_default=True,
    expose_value=False,
    help="How answers are written.",
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
    allow_empty: bool,
    files: tuple[str, ...],
    cluster_domain: str,
    tap_service_name: str,
    **collector_options: str,
) -> None:
    """Answer AdmissionReviews as the server would, each in a line of JSON, in their order.

    FILE has JSON, JSON Lines or YAML; `-`, or no FILE, is standard input. Without --values and --trust-anchors, the
    defaults of Linkerd's release line stand in for the mesh's configuration. With --release-line, kinds that this line
    does not validate are refused, as its own validator does; the server allows them with a warning.

    Exit code: 0 all were allowed, 1 some were denied, 2 some input was not an AdmissionReview (the others are
    answered), a path of --manifests cannot be read, or there was no AdmissionReview at all and --allow-empty is not
    given.
    """
    injector = _injector(values, trust_anchors, linkerd_namespace, release_line)
    objects, problems = load.load(manifests)
    unreadable = [f"--manifests {problem.file}: {problem.message}" for problem in problems if not problem.line]
    if unreadable:
        raise CommandError("\n".join(unreadable))
    for problem in problems:
        print_line(f"{problem.text}; going on without it")
    try:
        domain = injector.mesh.values.cluster_domain if values else ""
        collector = collector_of(collector_options, cluster_domain, linkerd_namespace)
        webhooks = _webhooks(injector, objects, domain, release_line is not None, tap_service_name, collector)
        registry = Registry(webhooks, webhook)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(asyncio.run(_answer_all(registry, files or (load.STDIN,), allow_empty=allow_empty)))


def _webhooks(
    injector: Injector, objects: list[JSON], domain: str, strict: bool, tap_service: str, collector: Collector
) -> list[AdmissionWebhook]:
    catalog, cluster = OfflineCatalog(objects), OfflineCluster(objects)
    return [
        ProxyInjector(Current(injector), cluster, tap_service=tap_service),
        TapInjector(lambda: injector.mesh.line, cluster, tap_service),
        JaegerInjector(lambda: injector.mesh.line, cluster, collector),
        WorkloadAdvisor(Current(injector), cluster),
        *(
            Validator(validator, lambda: injector.mesh.line, catalog, cluster_domain=lambda: domain, strict=strict)
            for validator in VALIDATORS
        ),
    ]


def _injector(values: str | None, trust_anchors: str | None, namespace: str, line: str | None) -> Injector:
    try:
        mesh = Mesh.load(
            _read(values, "values") if values else _defaults(line),
            _read(trust_anchors, "trust anchors") if trust_anchors else default_trust_anchors(),
            linkerd_namespace=namespace,
            release_line=line,
        )
    except ConfigError as error:
        raise CommandError(f"{values}: {error}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for warning in mesh.warnings:
        print_message(warning)
    injector = Injector(mesh)
    if injector.refusal is not None:
        print_message(f"every injection will be refused: {injector.refusal.message}")
    return injector


def _defaults(line: str | None) -> bytes:
    """The values of a control plane of this line without any setting of its own."""
    return default_values(line) if line else default_values()


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read the {what} from {path}: {error.strerror}") from None


async def _answer_all(registry: Registry, paths: tuple[str, ...], *, allow_empty: bool) -> int:
    """Print the answer to every review, then what could not be read; returns the exit code."""
    denied = any_request = False
    unreadable: list[str] = []
    for file in paths:
        for line, request in _requests(file):
            any_request = True
            if isinstance(request, str):
                unreadable.append(f"{file}:{line}: {request}")
                continue
            if isinstance(request, ReviewError):
                unreadable.append(f"{file}:{line}: {request.message}")
                if request.uid is not None and request.api_version is not None:
                    _print(request.uid, request.api_version, reviews.deny(request.message))
                continue
            answer = await registry.choose("/", request).answer(request)
            denied = denied or not answer.allowed
            _print(request.uid, request.api_version, answer)
    sys.stdout.buffer.flush()
    for problem in unreadable:
        print_line(problem)
    if not any_request and not allow_empty:
        raise CommandError("the input holds no AdmissionReview: name files that hold some, or pass --allow-empty")
    return UNREADABLE if unreadable else DENIED if denied else ALLOWED


class _Reviews:
    """Parses documents as AdmissionReviews. JSON is parsed as the server parses it, so that a malformed object gets the
    same answer."""

    def from_json(self, text: str, line: int) -> AdmissionRequest | ReviewError | None:
        """A request, or why the text is not one. Raises `orjson.JSONDecodeError` if it may be YAML or JSON Lines."""
        try:
            return reviews.parse(text.encode())
        except ReviewError as error:
            if error.uid is None or "\n" in text.strip():
                return None if orjson.loads(text) is None else error
            return error

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> AdmissionRequest | ReviewError | None:
        """A request, or why the document is not one."""
        body = Build(loader).document(node)
        if body is None:
            return None
        try:
            return reviews.from_object(body)
        except ReviewError as error:
            return error


def _requests(file: str) -> Iterator[tuple[int, AdmissionRequest | ReviewError | str]]:
    """The requests of a file, each with its line; a string in place of a request says why it cannot be read."""
    text = files.text(file)
    if isinstance(text, files.Problem):
        yield text.line, text.message
        return
    for document in load.documents(text, _Reviews()):
        if isinstance(document, load.Broken):
            yield document.line, document.message
        elif document.body is not None:
            yield document.line, document.body


def _print(uid: str, api_version: str, answer: reviews.Answer) -> None:
    sys.stdout.buffer.write(reviews.render(uid, api_version, answer) + b"\n")
