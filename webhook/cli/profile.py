"""`linkerd-webhook profile`: a ServiceProfile made of a template, an OpenAPI document or a protobuf file."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import click

from webhook.cli.console import CommandError, print_message
from webhook.cli.linkerdcli import LinkerdCommand
from webhook.cli.options import ClusterFlags, check_namespace, cluster_options

if TYPE_CHECKING:
    from webhook.cli.cluster import ClusterAccess
    from webhook.profiles.profile import Routes, Target

UNWELL = 1
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_SERVICE = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


@click.command(cls=LinkerdCommand, short_help="write a ServiceProfile")
@click.option("--template", "of_template", is_flag=True, help="A ServiceProfile to change before it is applied.")
@click.option("--open-api", metavar="FILE", help="Routes of an OpenAPI document, 2 or 3, in YAML or JSON.")
@click.option("--proto", metavar="FILE", help="Routes of a protobuf file.")
@click.option("-n", "--namespace", metavar="NAME", help="Namespace of the Service. Without it: the kubeconfig's.")
@click.option("--ignore-cluster", is_flag=True, help="Do not ask the cluster for its DNS domain: it is cluster.local.")
@click.option("-o", "--output", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
@click.argument("service")
@cluster_options
def profile(
    of_template: bool,
    open_api: str | None,
    proto: str | None,
    namespace: str | None,
    ignore_cluster: bool,
    output: str,
    service: str,
    cluster: ClusterFlags,
) -> None:
    """Write the ServiceProfile of a SERVICE to standard output: a template, or routes made of a file.

    \b
        linkerd-webhook profile -n shop --open-api api.yaml web | kubectl apply -f -

    FILE is a file, or -, standard input. What our validator would refuse or warn of is named on standard error.

    Exit code: 0 done, 1 the file or the name cannot be used, 2 a flag is wrong or the file cannot be read.
    """
    from webhook.profiles.profile import Target

    check_namespace(cluster.linkerd_namespace)
    if of_template + bool(open_api) + bool(proto) != 1:
        raise CommandError("write one of --template, --open-api FILE and --proto FILE")
    namespace = namespace or cluster.namespace
    _check_names(service, namespace)
    domain = "cluster.local"
    if not ignore_cluster:
        domain = asyncio.run(_cluster_domain(cluster.access, cluster.linkerd_namespace)) or domain
    target = Target(service, namespace, domain)
    click.echo(_made(target, open_api, proto, as_json=output == "json"), nl=False)


def _check_names(service: str, namespace: str) -> None:
    if not _SERVICE.fullmatch(service):
        raise CommandError(
            f'"{service}" is not the name of a Service: write at most 63 lower-case letters, digits and dashes that '
            "begin with a letter and end with a letter or digit, such as web; the Namespace is given with -n",
            UNWELL,
        )
    if not _NAMESPACE.fullmatch(namespace):
        raise CommandError(
            f'--namespace "{namespace}" is not the name of a Namespace: write at most 63 lower-case letters, digits '
            "and dashes, with a letter or digit at both ends, such as shop",
            UNWELL,
        )


def _made(target: Target, open_api: str | None, proto: str | None, *, as_json: bool) -> str:
    """The text of the ServiceProfile. Raises `CommandError`."""
    import orjson

    from webhook.profiles.profile import service_profile
    from webhook.profiles.template import template
    from webhook.yaml import emit, objects

    body: dict[str, Any]
    if open_api or proto:
        file = open_api or proto or ""
        routes = _routes(file, of_proto=bool(proto))
        body = service_profile(target, routes.routes)
        _report(file, routes, body)
        text = "".join(f"{line}\n" for line in emit.entries(body, 0))
    else:
        text = template(target)
        body = objects.read(text)
    return f"{orjson.dumps(body).decode()}\n" if as_json else text


def _routes(file: str, *, of_proto: bool) -> Routes:
    """The routes of a file. Raises `CommandError`."""
    from webhook.manifest.files import Problem, text
    from webhook.profiles.openapi import openapi_routes
    from webhook.profiles.profile import Unreadable
    from webhook.profiles.proto import proto_routes

    content = text(file)
    if isinstance(content, Problem):
        if content.line:
            raise CommandError(content.text, UNWELL)
        raise CommandError(f"cannot read {_place(file, 0)}: {content.message}")
    try:
        return proto_routes(content) if of_proto else openapi_routes(content)
    except Unreadable as error:
        raise CommandError(f"{_place(file, error.line)}: {error.message}", UNWELL) from None


def _report(file: str, routes: Routes, body: dict[str, Any]) -> None:
    """Write to standard error what was passed over, and what the validator thinks of the result."""
    from webhook.profiles.profile import findings

    for line, message in routes.notes:
        print_message(f"{_place(file, line)}: {message}")
    for finding in findings(body):
        # Of a route, its name tells more than its number.
        index = finding.path[2] if finding.path[:2] == ("spec", "routes") and len(finding.path) > 2 else None
        route = f"{routes.routes[index]['name']}: " if isinstance(index, int) else ""
        verdict = (
            "the validator warns" if finding.severity == "warning" else "the validator refuses this ServiceProfile"
        )
        print_message(f"{_place(file, 0)}: {route}{verdict}: {finding.warning}")


def _place(file: str, line: int) -> str:
    name = "standard input" if file == "-" else file
    return f"{name}:{line}" if line else name


async def _cluster_domain(access: ClusterAccess, linkerd_namespace: str) -> str:
    """The DNS domain that the control plane's values name, "" where they name none. Raises `CommandError`."""
    from webhook.cli.cluster import connect_as
    from webhook.kube.api import ConfigurationError
    from webhook.kube.errors import ApiError, explain
    from webhook.kube.fields import text
    from webhook.mesh.configmaps import Unusable, read_values, where
    from webhook.yaml.objects import Broken, read

    hint = "pass --ignore-cluster to take cluster.local"
    try:
        api = await connect_as(access)
    except ConfigurationError as error:
        raise CommandError(f"{error}; or {hint}") from None
    try:
        return text(read(await read_values(api, linkerd_namespace)), "clusterDomain")
    except Unusable as error:
        raise CommandError(f"{error}: {hint}") from None
    except (ApiError, TimeoutError) as error:
        raise CommandError(f"the cluster at {api.host}: {explain(error)}; {hint}") from None
    except Broken as error:
        raise CommandError(
            f"{where(linkerd_namespace)}: values, line {error.line}: {error.message}; or {hint}"
        ) from None
    finally:
        await api.close()
