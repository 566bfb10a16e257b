"""The program `serve`: all parts put together, started in order and stopped in the other."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import structlog
import uvloop

from webhook import __version__
from webhook.cluster.interface import Catalog, Cluster, Events, NothingKnown
from webhook.mesh.releases import Line
from webhook.policy.registry import load_all
from webhook.server import admin, listen, tls
from webhook.server import log as logs
from webhook.server.admission import MAX_IN_FLIGHT, Admission
from webhook.server.app import AdmissionApp
from webhook.server.configuration import Configuration, only_line
from webhook.server.connection import Policy
from webhook.server.listen import AddressError
from webhook.server.metrics import Metrics
from webhook.server.pattern_worker.judge import PatternJudge
from webhook.server.reload import Group, Pace, Refused, Reloader
from webhook.server.run import Server, Signals, Times, serve_until
from webhook.server.validators import VALIDATORS, Validator
from webhook.server.webhooks import ProxyInjector, Registry, Webhook

if TYPE_CHECKING:
    from webhook.cluster.api import ApiServer
    from webhook.cluster.live import LiveCluster
    from webhook.server.upkeep.upkeep import Upkeep

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What `serve` was asked for; the defaults are where Linkerd's own Deployments mount things.

    `service` is the Service in front of this server, in Linkerd's namespace: with it, the configurations that point
    there are looked after. `identity` names this replica among others.
    """

    addr: str = ":8443"
    admin_addr: str = ":9995"
    tls_dir: Path = Path("/var/run/linkerd/tls")
    values: Path = Path("/var/run/linkerd/config/values")
    trust_anchors: Path = Path("/var/run/linkerd/identity/trust-roots/ca-bundle.crt")
    linkerd_namespace: str = "linkerd"
    release_line: str | None = None
    kubeconfig: Path | None = None
    manifests: Sequence[Path] = ()
    webhook: str | None = None
    service: str | None = None
    certs: Literal["files", "self-managed"] = "files"
    adopt: bool = False
    cluster_domain: str = "cluster.local"
    identity: str = field(default_factory=socket.gethostname)
    max_in_flight: int = MAX_IN_FLIGHT
    events: bool = True
    times: Times = field(default_factory=Times)
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the started program listens; these differ from the options where those said 0."""

    admission: int
    admin: int


class StartError(Exception):
    """The program cannot start: the message names the file, flag or address, and what to do."""


# What to do once the program serves: given where it listens, and the event that ends it.
Then = Callable[[Ports, asyncio.Event], Coroutine[None, None, None]]


def run(options: Options, lines: logs.Lines, notes: Sequence[str] = (), then: Then | None = None) -> None:
    """Serve until SIGTERM or SIGINT, with `notes` said in the log first. Raises `StartError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(options, lines, notes, then))
    lines.flush()


async def _until_signal(options: Options, lines: logs.Lines, notes: Sequence[str], then: Then | None) -> None:
    signals = Signals(at_exit=lines.flush)
    tasks = []

    def end_if_failed(task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            signals.received.set()

    def started(ports: Ports) -> None:
        if then is not None:
            task = asyncio.create_task(then(ports, signals.received))
            task.add_done_callback(end_if_failed)
            tasks.append(task)

    with signals.installed():
        for note in notes:
            log.info(note)
        await serve(options, lines, signals.received, started)
        await asyncio.gather(*tasks)


@dataclass(slots=True)
class _Surroundings:
    """The cluster, however it is known."""

    cluster: Cluster
    events: Events | None
    cache: Callable[[], admin.Cache]
    catalog: Catalog
    api: ApiServer | None = None


async def serve(
    options: Options, lines: logs.Lines, stop: asyncio.Event, started: Callable[[Ports], None] = lambda _: None
) -> None:
    """Serve until `stop` is set, then drain. `started` is called once both ports are open. Raises `StartError`."""
    _check(options)
    metrics = Metrics()
    certificate = tls.Certificate()
    configuration = Configuration(
        options.values, options.trust_anchors, options.linkerd_namespace, options.release_line
    )
    # What looks after certificates comes later, and has a say in when a new one is served.
    waiting: list[Callable[[bytes, bytes], str]] = []
    groups = []
    if options.certs == "files":
        groups.append(tls.group(certificate, options.tls_dir, lambda *pair: next((w(*pair) for w in waiting), "")))
    if _needs_values(options):
        groups.append(configuration.group)
    _load(groups)
    line = _line(options, configuration)
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(_surroundings(options, metrics))
        patterns = PatternJudge()
        stack.push_async_callback(patterns.close)
        upkeep = _upkeep(options, around.api, certificate, metrics)
        registry = _registry(options, configuration, line, around, patterns)
        status = admin.Status(certificate, groups, around.cache, release_line=lambda: line().name)
        _watch(metrics, certificate, configuration, lines)
        admissions, operators = _servers(options, lines, registry, metrics, status, certificate)
        reloader = Reloader(
            groups,
            options.pace,
            reloaded=lambda file: metrics.reloads.labels(file).inc(),
            failed=lambda file: metrics.reload_failures.labels(file).inc(),
        )
        await admissions.start()
        await operators.start()
        reloader.start()
        stack.push_async_callback(reloader.stop)
        if upkeep is not None:
            from webhook.server.upkeep.conditions import conditions

            status.more = partial(conditions, upkeep)
            waiting.append(upkeep.trust.refuses)
            upkeep.start()
            stack.push_async_callback(upkeep.stop)
        log.info(
            "serving",
            version=__version__,
            release_line=line().name,
            address=options.addr,
            admin_address=options.admin_addr,
            certificate_expiry=f"{certificate.leaf.not_after:%Y-%m-%dT%H:%M:%SZ}" if certificate.leaf else "",
        )
        _settle_memory()
        started(Ports(admissions.port, operators.port))
        resigning = []

        def drain() -> None:
            status.drain()
            if upkeep is not None:
                resigning.append(asyncio.create_task(upkeep.resign(), name="resignation"))

        await serve_until(stop, admissions, operators, options.times, drain)


def _check(options: Options) -> None:
    """Whether the options go together. Raises `StartError`."""
    if options.service is None and (options.certs == "self-managed" or options.adopt):
        flag = "--adopt" if options.adopt else "--certs=self-managed"
        raise StartError(f"{flag} needs --service NAME: the Service in front of this server")
    if options.service is not None and options.manifests:
        raise StartError("--service needs a cluster to look after: it does not go with --manifests")


def _upkeep(options: Options, api: ApiServer | None, certificate: tls.Certificate, metrics: Metrics) -> Upkeep | None:
    """What looks after certificates and configurations, for a server that knows its Service."""
    if options.service is None or api is None:
        return None
    # Only here: who serves files to Linkerd's own configurations needs none of it.
    from certs.configurations import Service
    from webhook.install.configurations import RULES
    from webhook.server.upkeep.metrics import UpkeepMetrics
    from webhook.server.upkeep.registration import Duties
    from webhook.server.upkeep.upkeep import Upkeep

    duties = Duties(
        service=Service(options.linkerd_namespace, options.service),
        identity=options.identity,
        rules=RULES,
        self_managed=options.certs == "self-managed",
        adopt=options.adopt,
        cluster_domain=options.cluster_domain,
        ca=lambda: _read(options.tls_dir / "ca.crt"),
    )
    upkeep = Upkeep(
        api,
        duties,
        certificate,
        lambda taken: (metrics.reloads if taken else metrics.reload_failures).labels("secret").inc(),
    )
    metrics.registry.register(UpkeepMetrics(upkeep))
    return upkeep


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _settle_memory() -> None:
    """What is there now stays. Left to its defaults, the collector would look through all of it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _load(groups: Sequence[Group]) -> None:
    problems = []
    for group in groups:
        try:
            group.load()
        except Refused as error:
            problems.append(str(error))
    if problems:
        raise StartError("\n".join(problems))


def _needs_values(options: Options) -> bool:
    """A validator runs without the mesh's values, which Linkerd's own Deployments do not give it."""
    return options.webhook not in VALIDATORS or options.values.exists()


def _line(options: Options, configuration: Configuration) -> Callable[[], Line]:
    if _needs_values(options):
        return lambda: configuration.line
    try:
        found = only_line(options.release_line)
    except ValueError as error:
        raise StartError(f"--release-line: {error}") from error
    return lambda: found


def _registry(
    options: Options,
    configuration: Configuration,
    line: Callable[[], Line],
    around: _Surroundings,
    patterns: PatternJudge,
) -> Registry:
    if _validates(options):
        # No request is to wait for an import.
        load_all()
    webhooks: list[Webhook] = [Validator(name, line, around.catalog, patterns.ask) for name in VALIDATORS]
    if _needs_values(options):
        webhooks.insert(0, ProxyInjector(configuration.injector, around.cluster, around.events))
    if options.service is not None:
        from webhook.server.upkeep.selftest import SelfTest

        webhooks.append(SelfTest(options.identity))
    try:
        return Registry(webhooks, options.webhook)
    except ValueError as error:
        raise StartError(f"--webhook: {error}") from error


def _servers(
    options: Options,
    lines: logs.Lines,
    registry: Registry,
    metrics: Metrics,
    status: admin.Status,
    certificate: tls.Certificate,
) -> tuple[Server, Server]:
    """Both servers, bound and not yet started."""
    endpoint = Admission(registry, metrics, lines, max_in_flight=options.max_in_flight)
    policy = Policy(rejected=metrics.reject, hung_up=metrics.hang_ups.inc)
    try:
        address, admin_address = listen.parse(options.addr), listen.parse(options.admin_addr)
        sock = listen.bind(address, "--addr")
        try:
            admin_sock = listen.bind(admin_address, "--admin-addr")
        except AddressError:
            sock.close()
            raise
    except AddressError as error:
        raise StartError(str(error)) from error
    app = AdmissionApp(registry, endpoint, metrics)
    return (
        Server(app, sock, policy, options.times, certificate.context),
        Server(admin.create(status, metrics), admin_sock, Policy(), options.times),
    )


def _watch(metrics: Metrics, certificate: tls.Certificate, configuration: Configuration, lines: logs.Lines) -> None:
    metrics.watch(
        "linkerd_webhook_certificate_expiry_timestamp_seconds",
        "When the served certificate expires, in seconds since 1970.",
        lambda: certificate.not_after,
    )
    metrics.watch(
        "linkerd_version_unknown",
        "1 where the values name a Linkerd newer than any known release line.",
        lambda: float(hasattr(configuration, "mesh") and configuration.mesh.unknown_version),
    )
    metrics.watch(
        "linkerd_webhook_log_lines_dropped",
        "Lines of the log that nobody read in time.",
        lambda: float(lines.dropped),
    )


@asynccontextmanager
async def _surroundings(options: Options, metrics: Metrics) -> AsyncIterator[_Surroundings]:
    """The cluster from manifests, or live within the block. Raises `StartError`."""
    if options.manifests:
        yield _offline(options.manifests)
        return
    # Only here: the client takes a while to import, and who works from manifests needs none.
    from webhook.cluster.api import ConfigurationError
    from webhook.cluster.events import EventRecorder
    from webhook.cluster.live import LiveCluster
    from webhook.cluster.live_catalog import LiveCatalog
    from webhook.server.cluster_metrics import ClusterMetrics

    try:
        cluster = await (
            LiveCluster.from_kubeconfig(options.kubeconfig) if options.kubeconfig else LiveCluster.in_cluster()
        )
    except ConfigurationError as error:
        raise StartError(str(error)) from error
    events = EventRecorder(cluster.api) if options.events else None
    catalog = LiveCatalog(cluster.api, cluster.watch) if _validates(options) else None
    metrics.registry.register(ClusterMetrics(cluster, events, catalog))
    await cluster.start()
    try:
        if events is not None:
            await events.start()
        if catalog is not None:
            await catalog.start()
        yield _Surroundings(cluster, events, _cache_of(options, cluster), catalog or NothingKnown(), cluster.api)
    finally:
        if catalog is not None:
            await catalog.stop()
        if events is not None:
            await events.stop()
        await cluster.stop()


def _validates(options: Options) -> bool:
    """Whether validators are asked: who wants the injector alone does not pay for what they need to know."""
    return options.webhook != ProxyInjector.name


def _cache_of(options: Options, cluster: LiveCluster) -> Callable[[], admin.Cache]:
    """How the cache stands. A validator answers without one, only with fewer warnings: it is ready at once."""
    if options.webhook in VALIDATORS:
        return lambda: admin.Cache(synced=True, namespaces=cluster.namespaces)
    return lambda: admin.Cache(cluster.synced, cluster.age, cluster.namespaces, cluster.owners, cluster.problem)


def _offline(paths: Sequence[Path]) -> _Surroundings:
    from webhook.cluster.catalog import OfflineCatalog
    from webhook.cluster.offline import OfflineCluster, flatten
    from webhook.manifest.load import load

    objects, problems = load(paths)
    if problems:
        raise StartError("\n".join(f"{each.file}:{each.line}: {each.message}" for each in problems))
    namespaces = sum(each.get("kind") == "Namespace" for each in flatten(objects))
    cache = admin.Cache(synced=True, namespaces=namespaces, source="manifests")
    return _Surroundings(OfflineCluster(objects), None, lambda: cache, OfflineCatalog(objects))
