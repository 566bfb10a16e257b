"""`linkerd-webhook check`: what is wrong with the installation and the Pods that it serves, and what to do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from webhook.cli.options import cluster_options
from webhook.diagnosis.check.line import Scope

if TYPE_CHECKING:
    from webhook.cli.cluster import ClusterAccess
    from webhook.diagnosis.check.gather import CheckRequest
    from webhook.diagnosis.check.run import CheckReport

FINE, UNWELL = 0, 1

# Seconds between two rounds while something may come right by itself.
INTERVAL: Final = 5.0


@click.command(short_help="check the installation")
@click.option("--pre", is_flag=True, help="Check whether it may be installed.")
@click.option("--proxy", is_flag=True, help="Check the Pods alone, and take for errors what is wrong with them.")
@click.option("-n", "--namespace", metavar="NAME", default="", help="Check the Pods of this Namespace, not of all.")
@click.option("-o", "--output", type=click.Choice(("table", "short", "json")), default="table", show_default=True)
@click.option("--wait", metavar="DURATION", default="5m", show_default=True, help="Wait for what may come by itself.")
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option("--suppress", metavar="CODE[=NAMESPACE[/NAME]]", multiple=True, help="Not to be told. Repeatable.")
@click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True)
@cluster_options
def check(
    pre: bool,
    proxy: bool,
    namespace: str,
    output: str,
    wait: str,
    strict: bool,
    suppress: tuple[str, ...],
    color: str,
    kubeconfig: Path | None,
    context: str | None,
    as_user: str,
    as_groups: tuple[str, ...],
    api_addr: str | None,
    linkerd_namespace: str,
    verbose: bool,
) -> None:
    """Check the installation, and the Pods that it serves.

    Exit code: 0 no error, 1 an error (with --strict also a warning), 2 a flag is wrong.
    """
    from webhook.cli.cluster import ClusterAccess
    from webhook.diagnosis.check.gather import CheckRequest
    from webhook.diagnosis.check.run import Suppression

    if pre and proxy:
        raise click.UsageError("--pre and --proxy exclude each other: pass one of them")
    scope = Scope.PRE if pre else Scope.PROXY if proxy else Scope.INSTALLED
    request = CheckRequest(scope, linkerd_namespace, namespace)
    access = ClusterAccess(kubeconfig, context, as_user, as_groups)
    report = asyncio.run(_checked(request, access, tuple(map(Suppression.parse, suppress))))
    _print(report, output, color)
    failed = not report.success or (strict and report.warned)
    sys.exit(UNWELL if failed else FINE)


async def _checked(request: CheckRequest, access: ClusterAccess, suppressions: tuple[object, ...]) -> CheckReport:
    from webhook.cli.cluster import connect_as
    from webhook.diagnosis.check.gather import gather
    from webhook.diagnosis.check.registry import LINES
    from webhook.diagnosis.check.run import judge

    facts = await gather(request, lambda: connect_as(access))
    return judge(LINES, facts, suppressions)  # type: ignore[arg-type]


def _print(report: CheckReport, output: str, color: str) -> None:
    from webhook.diagnosis.check.report import as_json, as_text

    if output == "json":
        import json

        click.echo(json.dumps(as_json(report), indent=2, ensure_ascii=False))
        return
    coloured = {"always": True, "never": False}.get(color)
    for text in as_text(report, short=output == "short"):
        click.echo(text, color=coloured)
