"""`linkerd-webhook repair`: the restarts that give Pods the proxy which they should have."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from webhook.cli.console import CommandError, colours, log_warnings, print_message
from webhook.cli.linkerdcli import LinkerdCommand, wait
from webhook.cli.options import ClusterFlags, cluster_options

if TYPE_CHECKING:
    from webhook.cli.cluster import ClusterAccess
    from webhook.diagnosis.check.facts import ClusterFacts
    from webhook.diagnosis.repair.plan import RepairPlan

FINE, UNWELL, INTERRUPTED = 0, 1, 130


@click.command(cls=LinkerdCommand, short_help="restart what lacks its proxy")
@click.option("-n", "--namespace", metavar="NAME", default="", help="Mend this Namespace alone.")
@click.option("--yes", is_flag=True, help="Restart the workloads, one at a time, and wait for each.")
@click.option(
    "--timeout",
    metavar="DURATION",
    default="5m",
    show_default=True,
    callback=wait,
    help="How long a workload may take to come up.",
)
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@cluster_options
def repair(
    namespace: str,
    yes: bool,
    timeout: float,
    output: str,
    cluster: ClusterFlags,
) -> None:
    """Restart the workloads whose Pods have no proxy, or another one than they would get now.

    Without --yes, they and the commands are printed. With it, one workload is restarted at a time and waited for; the
    first that does not come up ends it. Nothing is restarted unless new Pods come out with the proxy. What no restart
    mends (Pods without an owner, Jobs, paused Deployments) is told.

    Exit code: 0 nothing is left to mend, 1 something is, 2 a flag is wrong or there is no cluster, 130 interrupted.
    """
    log_warnings()
    work = _Work(cluster.access, cluster.linkerd_namespace, namespace, timeout, yes=yes)
    try:
        asyncio.run(work.run())
    except KeyboardInterrupt:
        if work.plan is None:
            raise
        work.plan.skip("interrupted: it was not restarted")
        _print(work.plan, output, acts=yes)
        print_message("interrupted")
        sys.exit(INTERRUPTED)
    assert work.plan is not None  # noqa: S101 - `run` has made one, or ended the command
    _print(work.plan, output, acts=yes)
    sys.exit(FINE if work.plan.mended else UNWELL)


@dataclass(slots=True)
class _Work:
    """One repair; `plan` is there once the cluster was looked at."""

    access: ClusterAccess
    linkerd_namespace: str
    namespace: str
    timeout: float
    yes: bool
    plan: RepairPlan | None = field(default=None)

    async def run(self) -> None:
        """Look, and restart. Raises `CommandError` where the cluster cannot be looked at."""
        from webhook.cli.cluster import connect_as
        from webhook.cli.spinner import spinning
        from webhook.diagnosis.check.gather import CheckRequest, of_cluster
        from webhook.diagnosis.check.line import Scope
        from webhook.diagnosis.check.progress import Progress
        from webhook.diagnosis.repair.plan import plan
        from webhook.diagnosis.repair.run import restart_all
        from webhook.diagnosis.repair.second_look import SecondLook
        from webhook.diagnosis.unseen import Unseen, seen
        from webhook.kube.api import ConfigurationError

        try:
            api = await connect_as(self.access)
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        try:
            progress = Progress()
            request = CheckRequest(Scope.INSTALLED, self.linkerd_namespace, self.namespace)
            async with spinning(lambda: f"{progress.pods:,} Pods seen", enabled=True):
                facts = await of_cluster(request, api, progress)
            if facts.problem:
                raise CommandError(f"the cluster at {facts.host}: {facts.problem}")
            try:
                self.plan = plan(seen(facts.plane.pods), _spared(facts))
                look = SecondLook(facts)
            except Unseen as unseen:
                raise CommandError(str(unseen)) from None
            if not (self.yes and self.plan.workloads):
                return
            reason = _refusal(facts)
            if reason:
                self.plan.skip(f"not restarted, as new Pods would not get the proxy: {reason}")
                return
            await restart_all(api, self.plan, self.timeout, print_message, look.problem)
        finally:
            await api.close()


def _refusal(facts: ClusterFacts) -> str:
    """Why a restart would mend nothing, "" where new Pods come out with the proxy: by two lines of `check`."""
    from webhook.diagnosis.check import server
    from webhook.diagnosis.check.run import judge
    from webhook.diagnosis.finding import errors, lines

    report = judge((server.webhook_reached, server.webhook_injects), facts)
    problems = [f"{result.line.code}: {text}" for result in report.results for text in lines(errors(result.findings))]
    if not report.results:
        # One of the two may not have anything to try: there is no self-test in Linkerd's own Deployment, and no Pod to
        # try where templates alone ask for proxies.
        problems = [f"{line.code}: {line.reason}" for line in report.skipped]
    return "; ".join(problems)


def _spared(facts: ClusterFacts) -> frozenset[str]:
    """The Namespaces in which nothing is restarted: Linkerd's, the server's, and those that webhooks leave alone."""
    from webhook.diagnosis.check.installation import Installation
    from webhook.mesh.spared import SPARED

    installed = facts.installation
    own = {installed.namespace} if isinstance(installed, Installation) else set()
    return frozenset((*SPARED, facts.namespace, *own))


def _print(plan: RepairPlan, output: str, *, acts: bool) -> None:
    if output == "json":
        import json

        click.echo(json.dumps(plan.as_json(), indent=2, ensure_ascii=False))
        return
    from webhook.diagnosis.repair.report import as_text

    coloured = colours(sys.stdout)
    for text in as_text(plan, acts=acts):
        click.echo(text, color=coloured)
