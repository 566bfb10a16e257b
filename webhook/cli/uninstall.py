"""`linkerd-webhook uninstall`: prints the objects to delete, for kubectl, or deletes them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webhook.cli.console import CommandError, print_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webhook.kube.api import ApiServer
    from webhook.uninstall.gather import Survey
    from webhook.uninstall.objects import InstalledObject

FINE, REFUSED, FAILED = 0, 1, 2

# Pods that a refusal names.
SHOWN = 20


@click.command(short_help="take an installation out of a cluster")
@click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Else $KUBECONFIG, else ~/.kube/config.")
@click.option("--force", is_flag=True, help="Uninstall even if nobody would inject Pods again.")
@click.option("--delete", is_flag=True, help="Delete the objects, in place of printing them.")
@click.option(
    "--ignore-cluster",
    is_flag=True,
    help="Use no cluster: print all objects that there may be, but a PodMonitor and a PrometheusRule.",
)
@click.option("--pod-monitor", is_flag=True, help="With --ignore-cluster: print the PodMonitor as well.")
@click.option("--alerts", is_flag=True, help="With --ignore-cluster: print the PrometheusRule as well.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("yaml", "json")),
    default="yaml",
    show_default=True,
    help="How objects are printed; with --delete, json is an object in a line for each.",
)
def uninstall(
    linkerd_namespace: str,
    kubeconfig: Path | None,
    force: bool,
    delete: bool,
    ignore_cluster: bool,
    pod_monitor: bool,
    alerts: bool,
    output: str,
) -> None:
    """Print the objects of an installation that are in the cluster, in the order in which they can be deleted:

        linkerd-webhook uninstall | kubectl delete --ignore-not-found -f -

    With --delete, they are deleted through the API server, after each webhook configuration that was adopted from
    Linkerd is restored; run it again if it was interrupted. The server itself need not run. Linkerd stays.

    It refuses while there are Pods with a proxy that nobody would inject again. Linkerd's own injector would, whether
    it runs beside ours or was adopted and is restored: its webhook configuration has to exist, and its Service has to
    have a ready endpoint. Pass --force to uninstall all the same.

    It refuses as well where a configuration was adopted and --delete is not given.

    Exit code: 0 done, 1 refused, 2 something could not be read or deleted.
    """
    if ignore_cluster:
        from webhook.uninstall.objects import ALERTS, INSTALLED_OBJECTS, POD_MONITOR

        if delete:
            raise click.UsageError("--delete needs a cluster: leave out --ignore-cluster, or --delete to print")
        left_out = {POD_MONITOR: not pod_monitor, ALERTS: not alerts}
        _print((one for one in INSTALLED_OBJECTS if not left_out.get(one)), linkerd_namespace, output)
        return
    for flag, given, kind in (("--pod-monitor", pod_monitor, "PodMonitor"), ("--alerts", alerts, "PrometheusRule")):
        if given:
            raise click.UsageError(f"{flag} goes with --ignore-cluster: without it, the cluster is asked for a {kind}")
    sys.exit(asyncio.run(_uninstall(linkerd_namespace, kubeconfig, output, force=force, delete=delete)))


async def _uninstall(namespace: str, kubeconfig: Path | None, output: str, *, force: bool, delete: bool) -> int:
    from webhook.cli.cluster import connect
    from webhook.kube.api import ConfigurationError
    from webhook.uninstall.failures import Unreadable
    from webhook.uninstall.gather import survey

    try:
        api = await connect(kubeconfig)
    except ConfigurationError as error:
        raise CommandError(str(error), FAILED) from None
    try:
        seen = await survey(api, namespace)
        _remark(seen, namespace)
        refusal = await _refusal(api, seen, namespace, force=force, delete=delete)
        if refusal:
            raise CommandError(refusal, REFUSED)
        if delete:
            return await _delete(api, seen, namespace, output)
        _print(seen.ours, namespace, output)
    except Unreadable as error:
        raise CommandError(str(error), FAILED) from None
    else:
        return FINE
    finally:
        await api.close()


async def _refusal(api: ApiServer, seen: Survey, namespace: str, *, force: bool, delete: bool) -> str:
    """Why the uninstallation is refused, "" if it is not. Raises `Unreadable`."""
    from webhook.uninstall.pods import pods_in_mesh, why_nobody_else_injects

    if seen.elsewhere:
        where = ", ".join(sorted(seen.elsewhere))
        return f"linkerd-webhook is not installed in namespace {namespace} but in {where}: pass --linkerd-namespace"
    if seen.unrestorable:
        return "\n".join(seen.unrestorable)
    if seen.adopted and not delete:
        names = ", ".join(one.describe(namespace) for one in seen.adopted)
        return (
            f"{names}: adopted from Linkerd, and deleting alone does not give them back: "
            "linkerd-webhook uninstall --delete restores them first, then deletes"
        )
    if force or not seen.injects:
        return ""
    pods = await pods_in_mesh(api, namespace)
    why = await why_nobody_else_injects(api, seen) if pods else ""
    if not why:
        return ""
    more = [f"  and {len(pods) - SHOWN} more"] if len(pods) > SHOWN else []
    return "\n".join(
        [
            f"Pods with Linkerd's proxy ({len(pods)}) would come back without it, as {why}:",
            *(f"  {pod}" for pod in pods[:SHOWN]),
            *more,
            "have Linkerd's own injector run first; or take linkerd.io/inject off their workloads and Namespaces and "
            "restart them; or pass --force",
        ]
    )


async def _delete(api: ApiServer, seen: Survey, namespace: str, output: str) -> int:
    from webhook.uninstall.run import remove

    def done(sentence: str) -> None:
        click.echo(json.dumps({"done": sentence}, ensure_ascii=False) if output == "json" else sentence)

    return FINE if await remove(api, namespace, seen, done, print_message) else FAILED


def _remark(seen: Survey, namespace: str) -> None:
    """Print notes: objects of others, that nothing is installed, or that Helm has installed it."""
    for one in seen.foreign:
        print_message(f"{one.describe(namespace)} has the name of one of ours but not its labels, and is left alone")
    if not seen.ours and not seen.adopted:
        print_message(f"there is nothing to delete: linkerd-webhook is not installed in namespace {namespace}")
    elif seen.release:
        print_message(
            f"this was installed by Helm: run helm uninstall --namespace {namespace} {seen.release} afterwards, "
            "so that Helm forgets it as well"
        )


def _print(objects: Iterable[InstalledObject], namespace: str, output: str) -> None:
    import yaml

    references = [one.reference(namespace) for one in objects]
    if output == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": references}, indent=2))
    elif references:
        click.echo(yaml.safe_dump_all(references, sort_keys=False, explicit_start=True), nl=False)
