"""`linkerd-webhook uninstall`: what is to be deleted, for kubectl, or deletes it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webhook.kube.api import ApiServer
    from webhook.uninstall.gather import Survey
    from webhook.uninstall.plan import Thing

FINE, REFUSED, FAILED = 0, 1, 2

# Pods that a refusal names.
SHOWN = 20


@click.command(short_help="take an installation out of a cluster")
@click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Else $KUBECONFIG, else ~/.kube/config.")
@click.option("--force", is_flag=True, help="Also while Pods with a proxy are there that nobody would inject again.")
@click.option("--delete", is_flag=True, help="Do it, in place of printing what is to be deleted.")
@click.option("--ignore-cluster", is_flag=True, help="Ask no cluster: print all that there may be but a PodMonitor.")
@click.option("--pod-monitor", is_flag=True, help="With --ignore-cluster: print the PodMonitor as well.")
def uninstall(
    linkerd_namespace: str, kubeconfig: Path | None, force: bool, delete: bool, ignore_cluster: bool, pod_monitor: bool
) -> None:
    """Print what an installation has left in the cluster, in the order in which it can go:

        linkerd-webhook uninstall | kubectl delete --ignore-not-found -f -

    With --delete it is deleted through the API server, after each webhook configuration that was adopted from Linkerd
    has been given back; run it again if it was cut off. The server itself need not be alive. Linkerd stays.

    Refused while Pods with a proxy are there that nobody would inject again. Linkerd's own injector would, whether it
    runs beside ours or was adopted and is given back: its webhook configuration has to be there, and its Service has to
    have a ready endpoint. --force goes on all the same.

    Refused as well where something was adopted and --delete is not given.

    Exit code: 0 fine, 1 refused, 2 something could not be read or done.
    """
    if ignore_cluster:
        from webhook.uninstall.plan import POD_MONITOR, THINGS

        if delete:
            raise click.UsageError("--delete needs a cluster: leave out --ignore-cluster, or --delete to print")
        _print((each for each in THINGS if pod_monitor or each != POD_MONITOR), linkerd_namespace)
        return
    if pod_monitor:
        raise click.UsageError("--pod-monitor goes with --ignore-cluster: else the cluster tells whether there is one")
    sys.exit(asyncio.run(_uninstall(linkerd_namespace, kubeconfig, force=force, delete=delete)))


async def _uninstall(namespace: str, kubeconfig: Path | None, *, force: bool, delete: bool) -> int:
    from webhook.cli.cluster import connect
    from webhook.kube.api import ConfigurationError
    from webhook.uninstall.gather import Unreadable, survey

    try:
        api = await connect(kubeconfig)
    except ConfigurationError as error:
        _say(str(error))
        return FAILED
    try:
        seen = await survey(api, namespace)
        _remark(seen, namespace)
        refusal = await _refusal(api, seen, namespace, force=force, delete=delete)
        if refusal:
            _say(refusal)
            return REFUSED
        if delete:
            return await _delete(api, seen, namespace)
        _print(seen.found, namespace)
    except Unreadable as error:
        _say(str(error))
        return FAILED
    else:
        return FINE
    finally:
        await api.close()


async def _refusal(api: ApiServer, seen: Survey, namespace: str, *, force: bool, delete: bool) -> str:
    """Why nothing is done, "" for no reason."""
    from webhook.uninstall.gather import nobody_else, pods_in_mesh

    if seen.elsewhere:
        where = ", ".join(sorted(seen.elsewhere))
        return f"linkerd-webhook is not installed in namespace {namespace} but in {where}: pass --linkerd-namespace"
    if seen.unrestorable:
        return "\n".join(seen.unrestorable)
    if seen.adopted and not delete:
        names = ", ".join(each.describe(namespace) for each in seen.adopted)
        return (
            f"{names}: adopted from Linkerd, and deleting alone does not give them back: "
            "linkerd-webhook uninstall --delete restores them first, then deletes"
        )
    if force or not seen.injects:
        return ""
    pods = await pods_in_mesh(api, namespace)
    why = await nobody_else(api, seen) if pods else ""
    if not why:
        return ""
    more = [f"  and {len(pods) - SHOWN} more"] if len(pods) > SHOWN else []
    return "\n".join(
        [
            f"Pods with Linkerd's proxy ({len(pods)}) would come back without it, as {why}:",
            *(f"  {each}" for each in pods[:SHOWN]),
            *more,
            "have Linkerd's own injector run first; or take linkerd.io/inject off their workloads and Namespaces and "
            "restart them; or pass --force",
        ]
    )


async def _delete(api: ApiServer, seen: Survey, namespace: str) -> int:
    from webhook.uninstall.gather import remove

    return FINE if await remove(api, namespace, seen, click.echo, _say) else FAILED


def _remark(seen: Survey, namespace: str) -> None:
    """What is good to know, whatever is done."""
    for thing in seen.foreign:
        _say(f"{thing.describe(namespace)} has the name of one of ours but not its labels, and is left alone")
    if not seen.found and not seen.adopted:
        _say(f"there is nothing to delete: linkerd-webhook is not installed in namespace {namespace}")
    elif seen.release:
        _say(
            f"this was installed by Helm: run helm uninstall --namespace {namespace} {seen.release} afterwards, "
            "so that Helm forgets it as well"
        )


def _print(things: Iterable[Thing], namespace: str) -> None:
    import yaml

    references = [each.reference(namespace) for each in things]
    if references:
        click.echo(yaml.safe_dump_all(references, sort_keys=False, explicit_start=True), nl=False)


def _say(text: str) -> None:
    click.echo(f"linkerd-webhook: {text}", err=True)
