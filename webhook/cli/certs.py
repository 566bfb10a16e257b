"""`linkerd-webhook certs`: inspects, issues, rotates and watches the certificates of the webhook."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from webhook.cli.console import CommandError, print_message
from webhook.grammar import GrammarError, parse_duration

if TYPE_CHECKING:
    from webhook.diagnosis.certificates.facts import CertificateFacts
    from webhook.diagnosis.certificates.rotation import Rotated
    from webhook.kube.api import ApiServer
    from webhook.kube.webhookconfigurations import ServiceReference

F = TypeVar("F", bound=Callable[..., Any])

FIT, NOT_FIT, CANNOT_LOOK = 0, 1, 2

Output = Literal["text", "json"]

_DAYS: Final = re.compile(r"(?:(\d{1,6}(?:\.\d{1,6})?)d)?(.*)", re.DOTALL)
LONGEST: Final = timedelta(days=36500)


def duration(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """Parse a duration for click: Go's durations, with days before them (`90d`, `1d12h`, `30m`).

    Raises `click.BadParameter` if it is not positive or longer than `LONGEST`. https://pkg.go.dev/time#ParseDuration
    """
    match = _DAYS.fullmatch(value)
    days, rest = (match[1], match[2]) if match else (None, value)
    example = "write one such as 90d, 36h or 1d12h"
    try:
        nanoseconds = parse_duration(rest) if rest or days is None else 0
    except GrammarError:
        raise click.BadParameter(f"{value!r} is not a duration: {example}", context, parameter) from None
    span = timedelta(days=float(days or 0)) + timedelta(microseconds=nanoseconds / 1000)
    if span <= timedelta(0) or span > LONGEST:
        bounds = f"write more than 0 and at most {LONGEST.days}d"
        raise click.BadParameter(f"{value!r} is out of bounds: {bounds}", context, parameter)
    return span


def service_options(command: F) -> F:
    """Add the options that name the Service and its Namespace."""
    for option in (
        click.option("--service", default="linkerd-webhook", show_default=True, help="The Service in front of it."),
        click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Its namespace: Linkerd's."),
    ):
        command = option(command)
    return command


def cluster_options(command: F) -> F:
    """Add the options that say how to reach the cluster."""
    for option in (
        click.option(
            "--kubeconfig", type=click.Path(path_type=Path), help="Else $KUBECONFIG, ~/.kube/config, or the Pod's own."
        ),
        click.option(
            "--secret",
            metavar="NAME",
            help="The Secret of the serving certificate.  [default: the one that the Deployment uses]",
            default="",
        ),
        click.option(
            "--direct",
            is_flag=True,
            help="Dial the replicas' addresses, in place of port-forward through the API server: only from within the "
            "Pods' network. In a Pod of the cluster this is so without the flag.",
        ),
    ):
        command = option(command)
    return command


domain_option = click.option(
    "--cluster-domain", default="cluster.local", show_default=True, help="DNS domain of the cluster."
)
output_option = click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def certs() -> None:
    """Inspect, issue, rotate and watch the certificates of the webhook."""


@certs.command()
@service_options
@cluster_options
@click.option("--tls-dir", type=click.Path(path_type=Path), help="Look at tls.crt and tls.key in here, at no cluster.")
@click.option("--ca-bundle", type=click.Path(path_type=Path), help="With --tls-dir: what is trusted, else its ca.crt.")
@output_option
@domain_option
def inspect(
    linkerd_namespace: str,
    service: str,
    cluster_domain: str,
    kubeconfig: Path | None,
    secret: str,
    direct: bool,
    tls_dir: Path | None,
    ca_bundle: Path | None,
    output: Output,
) -> None:
    """Show the stored and the served certificates, and whether every caBundle trusts them.

    The certificates of replicas are read through the API server, by port-forward to each Pod (get and create on
    pods/portforward). In a Pod of the cluster, this command connects to the replicas directly.

    Exit code: 0 it fits, 1 it does not, or nothing is served, 2 something could not be looked at.
    """
    from webhook.kube.webhookconfigurations import ServiceReference

    what = ServiceReference(linkerd_namespace, service)
    if ca_bundle is not None and tls_dir is None:
        raise click.UsageError("--ca-bundle goes with --tls-dir: in a cluster it is the caBundles that are looked at")
    if tls_dir is not None:
        sys.exit(_show(_gather_files(tls_dir, ca_bundle, what), output))

    async def run(api: ApiServer) -> int:
        return _show(await _gatherer(api, what, secret, cluster_domain, direct=direct)(), output)

    sys.exit(_in_cluster(kubeconfig, run))


@certs.command()
@service_options
@click.option("--out", "out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to fill.")
@click.option("--ca-cert", type=click.Path(path_type=Path), help="A CA to sign with, PEM; else a new one is made.")
@click.option("--ca-key", type=click.Path(path_type=Path), help="Its private key, PEM, not encrypted.")
@click.option("--dns-name", "dns_names", multiple=True, help="A further DNS name or IP address. Repeatable.")
@click.option(
    "--lifetime",
    callback=duration,
    metavar="DURATION",
    default="90d",
    show_default=True,
    help="How long tls.crt lasts.",
)
@click.option(
    "--ca-lifetime",
    callback=duration,
    metavar="DURATION",
    default="365d",
    show_default=True,
    help="How long a new CA lasts.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@output_option
@domain_option
def issue(
    linkerd_namespace: str,
    service: str,
    cluster_domain: str,
    out: Path,
    ca_cert: Path | None,
    ca_key: Path | None,
    dns_names: tuple[str, ...],
    lifetime: timedelta,
    ca_lifetime: timedelta,
    force: bool,
    output: Output,
) -> None:
    """Issue a serving certificate into files: ca.crt, tls.crt, tls.key, and ca.key where the CA is a new one.

    Exit code: 0 all is written, 1 something is there already, 2 a file cannot be read or written.
    """
    from certs import folder
    from webhook.kube.webhookconfigurations import ServiceReference

    if (ca_cert is None) != (ca_key is None):
        raise click.UsageError("--ca-cert and --ca-key go together: both sign with that CA, neither makes a new one")
    now = _now()
    try:
        ca = folder.signer(ca_cert, ca_key, now) if ca_cert and ca_key else None
        names = tuple(
            dict.fromkeys([*ServiceReference(linkerd_namespace, service).dns_names(cluster_domain), *dns_names])
        )
        files = folder.issue(names, lifetime, now, ca=ca, ca_name=f"{service} CA", ca_lifetime=ca_lifetime)
        folder.store(out, files, force=force)
    except folder.FolderError as error:
        raise CommandError(str(error), CANNOT_LOOK if error.unreadable else NOT_FIT) from None
    _issued(out, files, ServiceReference(linkerd_namespace, service), output)
    if folder.foreign_key(out, files):
        print_message(f"note: {out / 'ca.key'} was there before and is of another CA than ca.crt")


def _issued(out: Path, files: dict[str, bytes], service: ServiceReference, output: Output) -> None:
    """Print which files were written, and the commands that install with them."""
    from webhook.diagnosis.certificates.facts import CertificateSummary, first
    from webhook.diagnosis.certificates.report import stamp, table

    rows: list[tuple[str, str]] = []
    bodies: list[dict[str, str | None]] = []
    for name in ("ca.crt", "ca.key", "tls.crt", "tls.key"):
        if name not in files:
            continue
        path = str(out / name)
        certificate = first(files[name]) if name.endswith(".crt") else None
        if certificate is not None:
            read = CertificateSummary.of(certificate)
            until = stamp(read.not_after)
            rows.append((path, f"{read.subject}, serial {read.serial}, until {until}"))
            bodies.append({"path": path, "subject": read.subject, "serial": read.serial, "notAfter": until})
        else:
            rows.append((path, "private key; it stays with you" if name == "ca.key" else "private key"))
            bodies.append({"path": path, "subject": None, "serial": None, "notAfter": None})
    following = _following(out, service)
    if output == "json":
        click.echo(json.dumps({"files": bodies, "next": following}, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(["Written:", *table(rows), "", "Next:", *(f"  {line}" for line in following)]))


def _following(out: Path, service: ServiceReference) -> list[str]:
    """The commands that install with the files in a folder."""
    secret = f"{service.name}-tls"
    paths = " ".join(f"--from-file={name}={shlex.quote(str(out / name))}" for name in ("tls.crt", "tls.key", "ca.crt"))
    return [
        f"kubectl -n {service.namespace} create secret generic {secret} --type=kubernetes.io/tls {paths} "
        "--dry-run=client -o yaml | kubectl apply -f -",
        f"linkerd-webhook install --linkerd-namespace {service.namespace} --existing-secret {secret} "
        f"--ca-bundle {shlex.quote(str(out / 'ca.crt'))} | kubectl apply -f -",
    ]


@certs.command()
@service_options
@cluster_options
@click.option("--ca", "kind", flag_value="ca", help="A new CA, and a leaf of it.")
@click.option("--leaf", "kind", flag_value="leaf", default="leaf", help="A new leaf of the same CA: the default.")
@click.option("--no-wait", is_flag=True, help="Ask for it, and follow nothing.")
@click.option(
    "--timeout", callback=duration, metavar="DURATION", default="10m", show_default=True, help="How long to follow it."
)
@output_option
def rotate(
    linkerd_namespace: str,
    service: str,
    kubeconfig: Path | None,
    secret: str,
    direct: bool,
    kind: Rotated,
    no_wait: bool,
    timeout: timedelta,
    output: Output,
) -> None:
    """Request a new certificate from the running server, and print each step of the rotation. Requests do not fail
    meanwhile: every caBundle holds the old and the new CA until all replicas serve the new certificate.

    Exit code: 0 done, 1 refused or not done in time, 2 the rotation cannot be requested.
    """
    from webhook.diagnosis.certificates import rotation
    from webhook.kube.webhookconfigurations import ServiceReference

    what = ServiceReference(linkerd_namespace, service)

    async def run(api: ApiServer) -> int:
        gather = _gatherer(api, what, secret, direct=direct)
        before = await gather()
        if before.unseen and not no_wait:
            nothing = "no rotation was requested, as it could not be followed; --no-wait requests it all the same"
            raise CommandError("\n".join([*(right.text() for right in before.unseen), nothing]), CANNOT_LOOK)
        try:
            _step(await rotation.request(api, before, kind), output, timed=False)
        except rotation.RotationRefused as error:
            raise CommandError(str(error), NOT_FIT) from None
        if no_wait:
            _step(
                "the rotation continues in the cluster; to follow it, run linkerd-webhook certs watch "
                f"--linkerd-namespace {what.namespace}",
                output,
                timed=False,
            )
            return FIT
        return await _follow(api, before, kind, gather, timeout, output)

    sys.exit(_in_cluster(kubeconfig, run))


def _step(sentence: str, output: Output, *, timed: bool = True, done: bool = False) -> None:
    """Print a step of a rotation: a line of text, with its time if `timed`, or of JSON."""
    if output == "json":
        body = {"time": f"{_now():%Y-%m-%dT%H:%M:%SZ}", "step": sentence, "done": done}
        click.echo(json.dumps(body, ensure_ascii=False))
    else:
        click.echo(f"{_now():%H:%M:%SZ}  {sentence}" if timed else sentence)


async def _follow(
    api: ApiServer,
    before: CertificateFacts,
    kind: Rotated,
    gather: Callable[[], Awaitable[CertificateFacts]],
    within: timedelta,
    output: Output,
) -> int:
    """Print each step as it is done; returns the exit code."""
    from webhook.diagnosis.certificates import rotation

    printed = 0
    last = rotation.Progress(())
    async for last in rotation.follow(before, kind, gather, within.total_seconds()):
        for sentence in last.done[printed:]:
            _step(sentence, output)
        printed = max(printed, len(last.done))
    if not last.waits_for:
        _step("done", output, timed=False, done=True)
        return FIT
    leader = await rotation.leader(api, before.service, _now())
    why = "; ".join(part for part in (last.why, leader) if part)
    raise CommandError(
        f"not done within {within}: waiting for this: {last.waits_for} ({why}). The leader continues with it; "
        f"its log says what fails: kubectl -n {before.service.namespace} logs deploy/{before.service.name}",
        NOT_FIT,
    )


@certs.command()
@service_options
@cluster_options
@click.option(
    "--interval", callback=duration, metavar="DURATION", default="2s", show_default=True, help="Time between two looks."
)
@output_option
def watch(
    linkerd_namespace: str,
    service: str,
    kubeconfig: Path | None,
    secret: str,
    direct: bool,
    interval: timedelta,
    output: Output,
) -> None:
    """Show all certificates once, then a line for each change, until interrupted.

    Exit code: 0 interrupted, 2 the cluster could not be read at the start.
    """
    from webhook.kube.webhookconfigurations import ServiceReference

    async def run(api: ApiServer) -> int:
        gather = _gatherer(api, ServiceReference(linkerd_namespace, service), secret, direct=direct)
        return await _watch(gather, interval.total_seconds(), output)

    # Ctrl-C is how it ends.
    with suppress(KeyboardInterrupt):
        sys.exit(_in_cluster(kubeconfig, run))


async def _watch(gather: Callable[[], Awaitable[CertificateFacts]], interval: float, output: Output) -> int:
    from webhook.diagnosis.certificates.changes import changes
    from webhook.diagnosis.certificates.gather import GatherError

    seen = await gather()
    _show(seen, output, indent=False)
    problem = ""
    while True:
        await asyncio.sleep(interval)
        try:
            now = await gather()
        except GatherError as error:
            if str(error) != problem:
                problem = str(error)
                _line(f"cannot read the cluster: {problem}", output)
            continue
        if problem:
            problem = ""
            _line("can read the cluster again", output)
        for change in changes(seen, now):
            _line(change, output)
        seen = now


def _line(change: str, output: Output) -> None:
    time = f"{_now():%Y-%m-%dT%H:%M:%SZ}"
    text = json.dumps({"time": time, "change": change}) if output == "json" else f"{time}  {change}"
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _gather_files(tls_dir: Path, ca_bundle: Path | None, service: ServiceReference) -> CertificateFacts:
    from webhook.diagnosis.certificates.files import FileError, gather_files

    try:
        return gather_files(tls_dir, ca_bundle, service, _now())
    except FileError as error:
        raise CommandError(str(error), CANNOT_LOOK) from None


def _gatherer(
    api: ApiServer, service: ServiceReference, secret: str, cluster_domain: str = "", *, direct: bool
) -> Callable[[], Awaitable[CertificateFacts]]:
    """A function that gathers the facts about the certificates, each time it is called."""
    from webhook.diagnosis.certificates.gather import gather
    from webhook.diagnosis.pod_dialer import PodDialer

    dialer = PodDialer(api, service.namespace, direct=direct)
    return lambda: gather(api, service, dialer, _now(), secret, cluster_domain)


def _show(facts: CertificateFacts, output: Output, *, indent: bool = True) -> int:
    """Print the facts and the findings; returns the exit code."""
    from webhook.diagnosis.certificates.checks import check
    from webhook.diagnosis.certificates.report import as_json, text

    click.echo(json.dumps(as_json(facts), indent=2 if indent else None) if output == "json" else text(facts))
    for right in facts.unseen:
        print_message(right.text())
    if facts.unseen:
        return CANNOT_LOOK
    if check(facts):
        return NOT_FIT
    return CANNOT_LOOK if facts.unreachable else FIT


def _in_cluster(kubeconfig: Path | None, run: Callable[[ApiServer], Coroutine[Any, Any, int]]) -> int:
    """Run with a connection to the API server; returns the exit code."""
    from webhook.cli.cluster import connect
    from webhook.diagnosis.certificates.gather import GatherError
    from webhook.kube.api import ConfigurationError

    async def connected() -> int:
        api = await connect(kubeconfig)
        try:
            return await run(api)
        finally:
            await api.close()

    try:
        return asyncio.run(connected())
    except (ConfigurationError, GatherError) as error:
        raise CommandError(str(error), CANNOT_LOOK) from None


def _now() -> datetime:
    return datetime.now(UTC)
