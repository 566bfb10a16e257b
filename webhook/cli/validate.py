"""`linkerd-webhook validate`: checks manifests as the webhooks do, before they are applied to a cluster."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import click

from webhook.cli.console import CommandError, colours, print_line, print_message

if TYPE_CHECKING:
    # Imported when needed: most runs need little of it, and take a fraction of a second.
    from webhook.findings.finding import Finding, Path
    from webhook.injector.advice.objects import Advisor
    from webhook.kube.objects import Namespace
    from webhook.lint.check import Lint, Result
    from webhook.mesh.config import Mesh
    from webhook.mesh.releases import Line

FINE, WRONG, UNREADABLE = 0, 1, 2
EMPTY = (
    "nothing was checked: no object in these files is of a kind that Linkerd reads; name other files, or pass "
    "--allow-empty"
)
OUTPUTS = ("text", "json", "github", "sarif")


def _docs_url(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    from webhook.lint.reports.addresses import is_absolute

    if is_absolute(value):
        return value
    raise click.BadParameter(f'"{value}" is not an address: write it in full, as https://docs.example.org/rules.md')


@click.command(short_help="check manifests")
@click.option(
    "-o", "--output", type=click.Choice(OUTPUTS), default="text", show_default=True, help="How findings are written."
)
@click.option("--strict", is_flag=True, help="Fail over warnings, too.")
@click.option(
    "--release-line", metavar="LINE", help="Linkerd's release line, in place of the newest (or what the values say)."
)
@click.option("--values", metavar="FILE", help="The control plane's values, as the linkerd-config ConfigMap has them.")
@click.option("--kubeconfig", metavar="FILE", help="Look up what the manifests refer to in this cluster, too.")
@click.option("--allow-empty", is_flag=True, help="Exit with 0 even if there is nothing to check.")
@click.option(
    "--docs-url",
    metavar="URL",
    callback=_docs_url,
    help="Where you publish docs/rules.md: json and sarif findings carry the address of their rule on that page.",
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def validate(
    output: str,
    strict: bool,
    release_line: str | None,
    values: str | None,
    kubeconfig: str | None,
    allow_empty: bool,
    docs_url: str | None,
    paths: tuple[str, ...],
) -> None:
    """Check Linkerd's policies, ServiceProfiles, and annotations of Namespaces, Services, Pods and workloads.

    PATH is a file, a folder (its *.yaml, *.yml and *.json) or `-`, standard input: YAML, JSON or JSON Lines. What the
    manifests refer to is looked for among all of them. Objects of other kinds are passed over.

    Findings go to standard output. As text: file:line:column: error rule Kind/namespace/name field: message. As json:
    an array of objects with file, line, column, severity, rule, field, message, help (the rule's address) and object
    (apiVersion, kind, namespace, name). As github: workflow commands. As sarif: a SARIF 2.1.0 log.

    On an object, the annotation linkerd-webhook/ignore: RULE, RULE silences warnings.

    Exit code: 0 fine, 1 errors (with --strict, or warnings), 2 some file or document could not be read (the others are
    checked), or nothing was checked at all and --allow-empty is not given.
    """
    # Everything that is read stays until the end and has no reference cycles, so collecting garbage would free nothing.
    gc.disable()
    mesh = _mesh(values, release_line) if values else None
    line = mesh.line if mesh else _line(release_line)
    result = _check(paths, line, _Lint(line, mesh), kubeconfig, mesh.values.cluster_domain if mesh else "")
    sys.stdout.write(_written(result, output, docs_url))
    sys.stdout.flush()
    print_line(_summary(result))
    if result.checked or result.unreadable or allow_empty:
        sys.exit(_code(result, strict=strict))
    raise CommandError(EMPTY, UNREADABLE)


def _check(paths: tuple[str, ...], line: Line, lint: Lint, kubeconfig: str | None, cluster_domain: str) -> Result:
    from webhook.cluster.catalog import OfflineCatalog
    from webhook.lint.check import check
    from webhook.policy.regex.judge import judge_for

    judge = judge_for(line)
    if kubeconfig is None:
        return check(paths, line, OfflineCatalog, judge, lint, cluster_domain=cluster_domain)
    from webhook.lint.live import ClusterUnreachable, with_cluster

    try:
        return with_cluster(
            kubeconfig,
            lambda there: check(
                paths,
                line,
                lambda objects: there.over(OfflineCatalog(objects)),
                judge,
                lint,
                there.namespace,
                cluster_domain,
            ),
            print_message,
        )
    except ClusterUnreachable as error:
        raise CommandError(str(error)) from None


def _line(name: str | None) -> Line:
    """The release line of this name, or the nearest known one, with a message. Raises `click.UsageError`."""
    from webhook.mesh import releases

    if name is None:
        return releases.line(releases.LINES[-1])
    try:
        chosen = releases.choose(name)
    except ValueError as error:
        raise click.UsageError(f"--release-line: {error}") from None
    if chosen.warning:
        print_message(chosen.warning)
    return chosen.line


def _mesh(values: str | None, release_line: str | None) -> Mesh:
    """The configuration of these values, or of Linkerd's defaults."""
    from pathlib import Path

    from webhook.mesh.config import ConfigError, Mesh
    from webhook.mesh.defaults import default_trust_anchors, default_values

    line = _line(release_line).name if release_line else None
    try:
        content = Path(values).read_bytes() if values else default_values(*([line] if line else ()))
        mesh = Mesh.load(content, default_trust_anchors(), release_line=line)
    except OSError as error:
        raise CommandError(f"cannot read the values from {values}: {error.strerror}") from None
    except ConfigError as error:
        raise CommandError(f"{values}: {error}") from None
    for warning in mesh.warnings:
        print_message(warning)
    return mesh


class _Lint:
    """Checks annotations. The modules that it needs are imported with the first object that has annotations."""

    def __init__(self, line: Line, mesh: Mesh | None) -> None:
        self._line = line
        self._mesh = mesh
        self._advisor: Advisor | None = None

    def __call__(self, kind: str, body: Any, template: Path, namespace: Namespace | None) -> list[Finding]:
        from webhook.advice import about

        if self._advisor is None:
            from webhook.injector.advice.objects import Advisor
            from webhook.injector.inject import Injector
            from webhook.policy.registry import load_all

            load_all()
            self._advisor = Advisor(
                Injector(self._mesh or _mesh(None, self._line.name)), certain=self._mesh is not None
            )
        return about(self._advisor, kind, body, template, namespace)


def _written(result: Result, output: str, docs_url: str | None) -> str:
    page = {"page": docs_url} if docs_url else {}
    if output == "json":
        from webhook.lint.reports import jsonarray

        return jsonarray.write(result, **page)
    if output == "github":
        from webhook.lint.reports import github

        return github.write(result)
    if output == "sarif":
        from webhook.lint.reports import sarif

        return sarif.write(result, **page)
    from webhook.lint.reports import text

    return text.write(result, colour=colours(sys.stdout))


def _summary(result: Result) -> str:
    from webhook.lint.reports import text

    return text.summary(result)


def _code(result: Result, *, strict: bool) -> int:
    if result.unreadable:
        return UNREADABLE
    return WRONG if result.errors or (strict and result.warnings) else FINE
