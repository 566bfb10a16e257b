"""`linkerd-webhook diff-lines`: what an upgrade of Linkerd changes in Pods, settings, annotations and verdicts."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webhook.cli.console import UNUSABLE, CommandError, print_line, print_message

if TYPE_CHECKING:
    from webhook.comparison.cluster import Running
    from webhook.comparison.compare import Comparison, PodComparison, ProxyCount
    from webhook.comparison.sides import Given, Side
    from webhook.manifest.files import Problem

SAME, DIFFERENT = 0, 1
CLUSTER = "cluster"
OUTPUTS = ("table", "diff", "json")


@click.command("diff-lines", short_help="show what an upgrade of Linkerd changes")
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="PATH",
    help="File or folder of Pods and workloads, or `-`, in place of a plain Pod. Repeatable.",
)
@click.option("--values", metavar="FILE", help="Linkerd's values with FROM; without --to-values, TO keeps them.")
@click.option("--to-values", metavar="FILE", help="Linkerd's values with TO.")
@click.option("--policies", multiple=True, metavar="PATH", help="Also compare verdicts on these policies. Repeatable.")
@click.option(
    "-o", "--output", type=click.Choice(OUTPUTS), default="table", show_default=True, help="How changes are written."
)
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="For FROM cluster: else $KUBECONFIG, else ~/.kube/config."
)
@click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane.")
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO")
def diff_lines(
    files: tuple[str, ...],
    values: str | None,
    to_values: str | None,
    policies: tuple[str, ...],
    output: str,
    kubeconfig: Path | None,
    linkerd_namespace: str,
    before: str,
    after: str,
) -> None:
    """Show what an upgrade of Linkerd changes in a Pod: from release FROM to release TO.

    FROM and TO are a release line (stable-2.14) or a version (stable-2.14.10, edge-26.8.3). FROM may also be `cluster`:
    then the release and the values are those of the Linkerd that is installed, and Pods with a proxy are counted by its
    version.

    Without --filename, a plain Pod is compared in each mode that the values allow: with an init container, under CNI,
    and with a native sidecar. A Pod whose Namespace is not among the files counts as being in one with
    linkerd.io/inject: enabled.

    Each change names the release that it came with; where there is none, the values have changed. With --values, TO has
    the same values, and defaults for settings that FROM does not have.

    Exit code: 0 nothing changes, 1 something does, 2 a release is not known or something could not be read (the rest is
    compared).
    """
    # Everything that is read stays until the end and has no reference cycles, so collecting garbage would free nothing.
    gc.disable()
    if "-" in policies and "-" in files:
        raise click.UsageError("standard input can be read once: name a file or a folder for --policies or --filename")
    own = _read(values)
    proxies: list[ProxyCount] = []
    if before == CLUSTER:
        if own is not None:
            raise click.UsageError("--values goes with a release: FROM cluster takes the values of the cluster")
        # Only that takes asyncio, whose import is a tenth of the time of a comparison.
        import asyncio

        own, proxies = asyncio.run(_running(kubeconfig, linkerd_namespace))
        before = _release_of(own)
    sides = _sides(before, after, own, _read(to_values), linkerd_namespace)
    comparison, problems = _compare(*sides, files, policies, has_values=own is not None or to_values is not None)
    comparison.proxies = proxies
    sys.stdout.write(_written(comparison, output))
    sys.stdout.flush()
    for problem in problems:
        print_line(problem.text)
    sys.exit(UNUSABLE if problems else DIFFERENT if comparison.changes else SAME)


def _read(path: str | None) -> dict[str, Any] | None:
    """The values of a file, None without one."""
    from webhook.yaml import objects, wording

    if path is None:
        return None
    try:
        values = objects.read(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line, _, message = wording.undecodable(error)
        raise CommandError(f"{path}:{line}: {message}") from None
    except objects.Broken as broken:
        raise CommandError(f"{path}:{broken.line}: {broken.message}") from None
    if not isinstance(values, dict):
        raise CommandError(
            f"{path}:1: the values are not an object: give the text under `values` in the ConfigMap linkerd-config"
        )
    return values


async def _running(kubeconfig: Path | None, namespace: str) -> Running:
    from webhook.cli.cluster import connect
    from webhook.comparison.cluster import NoValues, running
    from webhook.kube.api import ConfigurationError
    from webhook.kube.errors import ApiError, explain

    try:
        api = await connect(kubeconfig)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    try:
        return await running(api, namespace)
    except NoValues as error:
        raise CommandError(str(error)) from None
    except (ApiError, TimeoutError) as error:
        grant = f"get on the ConfigMap {namespace}/linkerd-config, and list on Pods"
        raise CommandError(f"the cluster at {api.host}: {explain(error, grant)}") from None
    finally:
        await api.close()


def _release_of(values: dict[str, Any]) -> str:
    """The version of the Linkerd whose values these are, else the release that they look like."""
    from webhook.mesh import releases

    try:
        detected = releases.detect(values)
    except releases.TooOld as error:
        raise CommandError(f"FROM: {error}") from None
    if detected.warning:
        print_message(detected.warning)
    version = values.get("linkerdVersion")
    return version if isinstance(version, str) and not detected.warning else detected.line.release.name


def _sides(
    before: str, after: str, values: dict[str, Any] | None, to_values: dict[str, Any] | None, namespace: str
) -> tuple[Side, Side]:
    from webhook.comparison.sides import loaded, side
    from webhook.mesh.config import ConfigError

    sides = []
    for argument, name, own in (("FROM", before, values), ("TO", after, to_values)):
        try:
            made, warning = side(name, own, namespace, kept=values if argument == "TO" else None)
            mesh = loaded(made)
        except ConfigError as error:
            raise CommandError(f"{argument}, {name}: {error}") from None
        except ValueError as error:
            raise CommandError(f"{argument}: {error}") from None
        if warning:
            print_message(warning.replace("--release-line", argument))
        if values is not None or own is not None:
            for warning in mesh.warnings:
                print_message(f"{argument}, {name}: {warning}")
        sides.append(made)
    return sides[0], sides[1]


def _compare(
    before: Side, after: Side, files: tuple[str, ...], policies: tuple[str, ...], *, has_values: bool
) -> tuple[Comparison, list[Problem]]:
    from webhook.comparison import modes
    from webhook.comparison.compare import Comparison, counting_annotations, moved_defaults
    from webhook.comparison.given import read
    from webhook.comparison.policies import verdicts
    from webhook.comparison.sides import Walk

    given: list[Given] | None = None
    problems: list[Problem] = []
    if files:
        given, problems = read(files)
        if not given and not problems:
            raise CommandError("no object in these files has Pods: name files with Pods, Deployments or the like")
    comparison = Comparison(before.name, after.name)
    walk = Walk(before, after)
    if given is None:
        comparison.pods = modes.plain(before, after, has_values=has_values)
    else:
        comparison.pods = modes.given(walk, given)
        _print_left_out(comparison.pods)
    comparison.annotations = counting_annotations(walk, given)
    comparison.defaults = moved_defaults(before, after)
    if policies:
        comparison.policies, unreadable = verdicts(policies, before.line, after.line)
        problems += unreadable
    return comparison, problems


def _print_left_out(pods: list[PodComparison]) -> None:
    left_out = [pod for pod in pods if not pod.changes and pod.injection != "injected"]
    if left_out:
        first = left_out[0]
        more = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        print_message(f"{first.object}{more}: no proxy with either release ({first.injection})")


def _written(comparison: Comparison, output: str) -> str:
    if output == "json":
        from webhook.comparison.reports import jsonobject

        return jsonobject.write(comparison)
    if output == "diff":
        from webhook.comparison.reports import unified

        return unified.write(comparison)
    from webhook.comparison.reports import table

    return table.write(comparison)
