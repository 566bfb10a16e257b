"""`linkerd-webhook check`: what is wrong with the installation and the Pods that it serves, and what to do."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Sequence
from contextlib import suppress as suppressed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from webhook.cli.console import INTERRUPTED, coloured, log_warnings, print_message
from webhook.cli.linkerdcli import LinkerdCommand, wait
from webhook.cli.options import ClusterFlags, cluster_options
from webhook.diagnosis.check.line import Scope

if TYPE_CHECKING:
    from webhook.cli.cluster import ClusterAccess
    from webhook.diagnosis.check.gather import CheckRequest
    from webhook.diagnosis.check.progress import Progress
    from webhook.diagnosis.check.run import CheckReport, Suppression

FINE, UNWELL = 0, 1

# Seconds between two rounds while something may come right by itself.
INTERVAL: Final = 5.0


@click.command(cls=LinkerdCommand, short_help="check the installation")
@click.option("--pre", is_flag=True, help="Check whether the server may be installed.")
@click.option("--proxy", is_flag=True, help="Check the Pods alone, and take for errors what is wrong with them.")
@click.option("-n", "--namespace", metavar="NAME", default="", help="Check the Pods of this Namespace, not of all.")
@click.option("-o", "--output", type=click.Choice(("table", "short", "json")), default="table", show_default=True)
@click.option(
    "--wait",
    metavar="DURATION",
    default="5m",
    show_default=True,
    callback=wait,
    help="Look again every 5 seconds, for so long, while an error may go by itself; 0s: look once.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for a warning, too.")
@click.option(
    "--suppress",
    metavar="CODE[=NAMESPACE[/NAME]]",
    multiple=True,
    help="Leave out what a line says, everywhere or about these objects (with * for any text). Repeatable.",
)
@click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True)
@cluster_options
def check(
    pre: bool,
    proxy: bool,
    namespace: str,
    output: str,
    wait: float,
    strict: bool,
    suppress: tuple[str, ...],
    color: str,
    cluster: ClusterFlags,
) -> None:
    """Check the installation, and the Pods that it serves: what is wrong, where, and what to do.

    The lines, each with its code for --suppress, are in docs/checks.md. Nothing is changed.

    Exit code: 0 no error, 1 an error (with --strict also a warning), 2 a flag is wrong, 130 interrupted.
    """
    from webhook.diagnosis.check.gather import CheckRequest

    if pre and proxy:
        raise click.UsageError("--pre and --proxy exclude each other: pass one of them")
    log_warnings()
    scope = Scope.PRE if pre else Scope.PROXY if proxy else Scope.INSTALLED
    request = CheckRequest(scope, cluster.linkerd_namespace, namespace)
    rounds = _Rounds(request, cluster.access, _suppressions(suppress), spins=not cluster.verbose)
    try:
        report = asyncio.run(rounds.run(wait))
    except KeyboardInterrupt:
        if rounds.last is None:
            raise
        _print(rounds.last, output, color, strict=strict)
        print_message("interrupted: this is what the last look has found")
        sys.exit(INTERRUPTED)
    _print(report, output, color, strict=strict)
    sys.exit(FINE if report.holds(strict=strict) else UNWELL)


def _suppressions(texts: Sequence[str]) -> tuple[Suppression, ...]:
    """What --suppress says. Raises `click.UsageError` where there is no line of that code."""
    from webhook.diagnosis.check.registry import LINES
    from webhook.diagnosis.check.run import Suppression

    codes = {line.code for line in LINES}
    suppressions = tuple(Suppression.parse(text) for text in texts)
    for suppression, text in zip(suppressions, texts, strict=True):
        if suppression.code not in codes:
            close = difflib.get_close_matches(suppression.code, sorted(codes), n=1, cutoff=0.0)
            nearest = f"did you mean {close[0]}? " if close else ""
            raise click.UsageError(
                f'--suppress "{text}": no line has the code "{suppression.code}": {nearest}-o json shows the codes'
            )
        if text.endswith("="):
            raise click.UsageError(f'--suppress "{text}": write {suppression.code}, or {text}NAMESPACE[/NAME]')
    return suppressions


@dataclass(slots=True)
class _Rounds:
    """Looks at the cluster until nothing is awaited any more; `last` is what the last complete look has found."""

    request: CheckRequest
    access: ClusterAccess
    suppressions: tuple[Suppression, ...]
    spins: bool
    last: CheckReport | None = None

    async def run(self, seconds: float) -> CheckReport:
        """Look, and again for so many seconds while something is awaited."""
        from webhook.cli.cluster import connect_as
        from webhook.cli.spinner import spinning
        from webhook.diagnosis.check.gather import gather
        from webhook.diagnosis.check.progress import Progress
        from webhook.diagnosis.check.registry import LINES
        from webhook.diagnosis.check.run import judge

        loop = asyncio.get_running_loop()
        end, progress = loop.time() + seconds, Progress()
        async with spinning(lambda: self._doing(progress), enabled=self.spins):
            while True:
                facts = await gather(self.request, lambda: connect_as(self.access), progress)
                self.last = judge(LINES, facts, self.suppressions)
                left = end - loop.time()
                if not self.last.awaited or left <= 0:
                    return self.last
                progress = Progress()
                await asyncio.sleep(min(INTERVAL, left))

    def _doing(self, progress: Progress) -> str:
        """What the spinner says."""
        parts = [f"waiting for {', '.join(self.last.awaited)}"] if self.last is not None else []
        parts.append(f"reading {progress.reading}" if progress.reading else "connecting" if not parts else "")
        parts.append(f"{progress.pods:,} Pods seen" if progress.pods else "")
        return "; ".join(part for part in parts if part)


def _print(report: CheckReport, output: str, color: str, *, strict: bool) -> None:
    from webhook.diagnosis.check.report import as_json, as_text

    with suppressed(AttributeError, ValueError):
        # A terminal that lacks a character must not stop the report.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if output == "json":
        import json

        click.echo(json.dumps(as_json(report), indent=2, ensure_ascii=False))
        return
    paints = coloured(color, sys.stdout)
    for text in as_text(report, short=output == "short", strict=strict):
        click.echo(text, color=paints)
