"""`linkerd-webhook krm`: `inject` and `uninject` as a KRM function, for kustomize and kpt."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from webhook.cli.cluster import ClusterAccess
from webhook.cli.console import CommandError, print_message
from webhook.cli.inject import REGISTRY, Source, manifest_injector, read
from webhook.cli.options import check_namespace

if TYPE_CHECKING:
    from webhook.meshing.krm import Result
    from webhook.meshing.settings import Settings
    from webhook.meshing.stream import Change
    from webhook.meshing.templates import PodTemplates

UNWELL = 1


@click.command(short_help="inject or uninject as a KRM function")
def krm() -> None:
    """Inject, or uninject, the items of a ResourceList from standard input, as kustomize and kpt call functions.

    \b
        annotations:
          config.kubernetes.io/function: |
            exec: {path: linkerd-webhook, args: [krm]}

    Settings are the flags of inject and uninject by their names, in the data of a ConfigMap or in the spec of any other
    kind; uninject: "true" takes the proxy out. What there is to say about objects stands in the results, and errors and
    warnings on standard error as well.

    Exit code: 0 done, 1 a setting is wrong or a workload cannot be injected (the items are then as they were), 2
    standard input is not a ResourceList.
    """
    from webhook.meshing.krm import ResourceList, Unusable, failed
    from webhook.meshing.settings import Settings

    try:
        given = ResourceList.of(_stdin())
        settings = Settings.of(given.config)
    except Unusable as error:
        raise CommandError(f"standard input: {error}") from None
    value, results = given.document.value, list(settings.results)
    change = None if failed(results) else _change(settings, results)
    if change is not None:
        value, more = given.changed(change)
        results += more
    for result in results:
        if result.severity != "info":
            print_message(str(result))
    click.echo(given.written(value, results), nl=False)
    sys.exit(UNWELL if failed(results) else 0)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        from webhook.yaml.wording import undecodable

        raise CommandError(f"standard input: {undecodable(error)[2]}") from None


def _change(settings: Settings, results: list[Result]) -> Change | None:
    """What the settings ask for; None if one cannot be used, which `results` then says."""
    from functools import partial

    from webhook.meshing.settings import TEMPLATES, UNINJECT
    from webhook.meshing.templates import PodTemplates, TemplateError
    from webhook.meshing.uninject import uninjected

    entries = settings.entries(TEMPLATES)
    try:
        templates = PodTemplates.of(tuple("known" if entry == "true" else entry for entry in entries))
    except TemplateError as error:
        results.append(settings.about(TEMPLATES, str(error).removeprefix("--")))
        return None
    if settings.is_on(UNINJECT):
        return partial(uninjected, everything=settings.is_on("all"), templates=templates)
    return _injection(settings, templates, results)


def _injection(settings: Settings, templates: PodTemplates, results: list[Result]) -> Change | None:
    from webhook.injector.inject import Injector
    from webhook.meshing.flags import FLAGS, FlagError, of_pods, overrides

    given, manual = settings.given, settings.is_on("manual")
    try:
        injector = Injector(_source(settings).mesh(ClusterAccess(), manual=manual))
    except CommandError as error:
        results.append(settings.about("", error.message))
        return None
    flags = {flag.name: given[flag.name] for flag in FLAGS if flag.name in given}
    close_wait = given.get("close-wait-timeout", "")
    wrong = []
    for name in (*flags, "close-wait-timeout"):
        try:
            overrides(injector, {name: given.get(name, "")}) if name in flags else of_pods(
                debug=False, close_wait=close_wait
            )
        except FlagError as error:
            wrong.append(settings.about(name, str(error).removeprefix("--")))
    if wrong:
        results += wrong
        return None
    return manifest_injector(
        injector,
        flags,
        given.get("registry", os.environ.get(REGISTRY, "")),
        settings.is_on("ingress") if "ingress" in given else None,
        of_pods(debug=settings.is_on("enable-debug-sidecar"), close_wait=close_wait),
        templates,
        manual=manual,
    ).inject


def _source(settings: Settings) -> Source:
    """Where the mesh's values come from. A function's result should depend on its input alone, so that the cluster is
    asked only where `ignore-cluster` is false. Raises `CommandError`."""
    namespace = settings.given.get("linkerd-namespace") or os.environ.get("LINKERD_NAMESPACE") or "linkerd"
    check_namespace(namespace)
    return Source(
        _content(settings, "values"),
        _content(settings, "trust-anchors"),
        settings.given.get("ignore-cluster") != "false",
        settings.given.get("release-line"),
        namespace,
    )


def _content(settings: Settings, name: str) -> bytes | None:
    """A setting's text, or that of the file which it names; None where it is not given. Raises `CommandError`."""
    value = settings.given.get(name)
    if value is None:
        return None
    return value.encode() if "\n" in value else read(value)
