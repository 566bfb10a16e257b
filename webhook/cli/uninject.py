"""`linkerd-webhook uninject`: manifests without what Linkerd has put in."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from webhook.cli.linkerdcli import LinkerdCommand
from webhook.cli.meshing import Output, output_options, rewrite, templates_option
from webhook.cli.options import ClusterFlags, check_namespace, cluster_options

if TYPE_CHECKING:
    from webhook.meshing.templates import PodTemplates


@click.command(cls=LinkerdCommand, short_help="take the proxy out of manifests")
@click.option("--all", "everything", is_flag=True, help="Take out config.linkerd.io/* annotations, too.")
@templates_option
@output_options
@cluster_options
def uninject(
    everything: bool,
    templates: PodTemplates,
    output: str,
    check: bool,
    diff: bool,
    in_place: bool,
    keep_going: bool,
    report_form: str,
    paths: tuple[str, ...],
    cluster: ClusterFlags,
) -> None:
    """Take out of manifests what the webhook, `inject` or any Linkerd from 2.12 on has put in: containers, volumes and
    marks. A line that nothing changes stays as it is.

    \b
        kubectl get deploy -o yaml | linkerd-webhook uninject - | kubectl apply -f -

    PATH is a file, a folder, an address (https://…) or -, standard input.

    Exit code: 0 done (with --check: nothing would change), 1 a document cannot be read (with --check: something would
    change), 2 a flag is wrong or a path cannot be read.
    """
    check_namespace(cluster.linkerd_namespace)
    from webhook.meshing import report
    from webhook.meshing.uninject import uninjected

    how = Output(output, report_form, check, diff, in_place, keep_going)
    sys.exit(rewrite(paths, partial(uninjected, everything=everything, templates=templates), report.removal, how))
