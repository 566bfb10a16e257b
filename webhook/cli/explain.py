"""`linkerd-webhook explain`: why a Pod, or the Pods of a workload, are meshed or are not, and what to do."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webhook.cli.console import CommandError, coloured, log_warnings
from webhook.cli.linkerdcli import LinkerdCommand
from webhook.cli.options import ClusterFlags, cluster_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webhook.diagnosis.explain.explanation import Explanation
    from webhook.diagnosis.explain.facts import ExplainFacts
    from webhook.diagnosis.explain.gather import ExplainRequest, GivenObjects
    from webhook.diagnosis.explain.target import Target
    from webhook.kube.api import ApiServer

    Connect = Callable[[], Awaitable[ApiServer]]

AS_ASKED, OTHERWISE = 0, 1


@click.command(cls=LinkerdCommand, short_help="explain why a Pod is meshed or is not")
@click.argument("target", required=False, metavar="[KIND/NAME]")
@click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    default="",
    show_default="that of the kubeconfig's context",
    help="Namespace of the object.",
)
@click.option(
    "-f", "--filename", metavar="FILE", default="", help="Explain the workloads of a manifest (- is standard input)."
)
@click.option(
    "--manifests", metavar="PATH", multiple=True, help="With -f: Namespaces and owners. A file or folder. Repeatable."
)
@click.option(
    "--values", metavar="FILE", default="", help="With -f: Linkerd's values, as the linkerd-config ConfigMap has them."
)
@click.option("--trust-anchors", metavar="FILE", default="", help="With -f: the mesh's trust anchors (PEM).")
@click.option("--release-line", metavar="LINE", default="", help="As this release line of Linkerd would inject it.")
@click.option("--all", "every", is_flag=True, help="Show the settings that are the mesh's, too.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True)
@cluster_options
def explain(
    target: str | None,
    namespace: str | None,
    filename: str,
    manifests: tuple[str, ...],
    values: str,
    trust_anchors: str,
    release_line: str,
    every: bool,
    output: str,
    color: str,
    cluster: ClusterFlags,
) -> None:
    """Explain why a Pod, or the Pods of a workload, have Linkerd's proxy or do not, and what to do:

    \b
        linkerd-webhook explain pod/cart-5c9d8f7b6d-a2x4v -n shop
        linkerd-webhook explain deploy/cart -n shop
        linkerd-webhook explain -f cart.yaml

    With -f, what is not given is read from the cluster; where that does not answer, Linkerd's defaults are taken.
    Nothing is changed.

    Exit code: 0 it is as asked; 1 a proxy was asked for and is not there, or the reverse, or it is not the one that it
    would get now; 2 the object does not exist, something cannot be read, or a flag is wrong.
    """
    from webhook.cli.cluster import connect_as
    from webhook.diagnosis.explain.explanation import explain as explain_facts
    from webhook.diagnosis.explain.gather import ExplainError, ExplainRequest

    if bool(target) == bool(filename):
        raise click.UsageError("write KIND/NAME, such as pod/cart, or -f FILE" + (", not both" if target else ""))
    if target and (manifests or values or trust_anchors):
        raise click.UsageError("--manifests, --values and --trust-anchors go with -f FILE: the cluster has them")
    log_warnings()
    _check_line(release_line)
    namespace = namespace or cluster.namespace

    def connect() -> Awaitable[ApiServer]:
        return connect_as(cluster.access)

    request = ExplainRequest(
        linkerd_namespace=cluster.linkerd_namespace,
        release_line=release_line,
        values=_read(values, "--values"),
        trust_anchors=_read(trust_anchors, "--trust-anchors"),
    )
    try:
        if target:
            facts = asyncio.run(_of_cluster(_target(target, namespace), request, connect))
        else:
            facts = asyncio.run(_of_file(_given(filename, manifests, namespace), request, connect))
    except ExplainError as error:
        raise CommandError(str(error)) from None
    result = [explain_facts(fact, every=every) for fact in facts]
    _print(result, output, color)
    sys.exit(AS_ASKED if all(finding.as_asked for finding in result) else OTHERWISE)


def _check_line(release_line: str) -> None:
    from webhook.mesh.releases import choose

    if release_line:
        try:
            choose(release_line)
        except ValueError as error:
            raise click.UsageError(f"--release-line: {error}") from None


def _read(path: str, flag: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{flag} {path}: {error.strerror}") from None


def _target(written: str, namespace: str) -> Target:
    from webhook.diagnosis.explain.target import TargetError, parse

    try:
        return parse(written, namespace)
    except TargetError as error:
        raise click.UsageError(str(error)) from None


def _given(filename: str, manifests: tuple[str, ...], namespace: str) -> GivenObjects:
    """The objects of the files. Raises `CommandError` where one cannot be read, or there is nothing to explain."""
    from webhook.diagnosis.explain.gather import GivenObjects
    from webhook.manifest import load

    objects, problems = load.load((filename,))
    more, others = load.load(manifests)
    unreadable = [problem.text for problem in (*problems, *others)]
    if unreadable:
        raise CommandError("\n".join(unreadable))
    given = GivenObjects(objects, more, namespace)
    if not given.subjects:
        raise CommandError(f"{filename}: holds no Pod and no workload with a Pod template: name a file that has one")
    return given


async def _of_cluster(target: Target, request: ExplainRequest, connect: Connect) -> list[ExplainFacts]:
    from webhook.diagnosis.explain.gather import gather_target
    from webhook.kube.api import ConfigurationError

    try:
        api = await connect()
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    try:
        return [await gather_target(api, target, request)]
    finally:
        await api.close()


async def _of_file(given: GivenObjects, request: ExplainRequest, connect: Connect) -> list[ExplainFacts]:
    from webhook.diagnosis.explain.gather import gather_given

    return await gather_given(given, request, connect)


def _print(result: list[Explanation], output: str, color: str) -> None:
    from webhook.diagnosis.explain.report import as_text

    with suppress(AttributeError, ValueError):
        # A terminal that lacks a character must not stop the report.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if output == "json":
        for finding in result:
            click.echo(json.dumps(finding.as_json(), indent=2, ensure_ascii=False))
        return
    paints = coloured(color, sys.stdout)
    for number, finding in enumerate(result):
        if number:
            click.echo()
        for line in as_text(finding):
            click.echo(line, color=paints)
