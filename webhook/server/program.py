"""The program of `serve`: creates all parts of the server, starts them in order, and stops them in reverse order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog
import uvloop
from starlette.types import ASGIApp

from certs.renewal import due, latest
from certs.tls import ServedCertificate
from webhook import __version__, advice
from webhook.mesh.releases import Detected, Line
from webhook.policy.registry import load_all
from webhook.server import admin, listen
from webhook.server import log as logs
from webhook.server.admission import Admission, AdmissionApp
from webhook.server.certificate_files import CertificateFiles
from webhook.server.cluster import ClusterAccess, cluster_access, validates
from webhook.server.configuration import Configuration, only_line
from webhook.server.connection import Policy
from webhook.server.explaining import Explainer
from webhook.server.file_metrics import FileMetrics
from webhook.server.listen import AddressError
from webhook.server.metrics import Metrics
from webhook.server.options import Options, StartError, check
from webhook.server.readiness import Readiness
from webhook.server.reload import FilesRefused, Group, Reloader
from webhook.server.run import Server, Signals, serve_until
from webhook.server.status_sources import sources_of
from webhook.server.upkeep import upkeep_of
from webhook.statuspage.decisions import DecisionLog
from webhook.webhooks.interface import AdmissionWebhook
from webhook.webhooks.jaeger_injector import JAEGER_INJECTOR, JaegerInjector
from webhook.webhooks.pattern_worker.judge import PatternJudge
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.registry import Registry
from webhook.webhooks.tap_injector import TAP_INJECTOR, TapInjector
from webhook.webhooks.validators import VALIDATORS, Validator
from webhook.webhooks.workload_advisor import WorkloadAdvisor

if TYPE_CHECKING:
    from webhook.upkeep.leader import Upkeep

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListeningPorts:
    """The ports on which the server listens. They differ from the options if those have port 0."""

    admission: int
    admin: int


# Runs once the server has started: gets its ports, and the event that ends it.
Then = Callable[[ListeningPorts, asyncio.Event], Coroutine[None, None, None]]


def run(options: Options, lines: logs.Lines, notes: Sequence[str] = (), then: Then | None = None) -> None:
    """Serve until SIGTERM or SIGINT, after logging `notes`. Raises `StartError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(options, lines, notes, then))
    lines.flush()


async def _until_signal(options: Options, lines: logs.Lines, notes: Sequence[str], then: Then | None) -> None:
    signals = Signals(at_exit=lines.flush)
    tasks = []

    def end_if_failed(task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            signals.received.set()

    def started(ports: ListeningPorts) -> None:
        if then is not None:
            task = asyncio.create_task(then(ports, signals.received))
            task.add_done_callback(end_if_failed)
            tasks.append(task)

    with signals.installed():
        for note in notes:
            log.info(note)
        await serve(options, lines, signals.received, started)
        await asyncio.gather(*tasks)


async def serve(
    options: Options, lines: logs.Lines, stop: asyncio.Event, started: Callable[[ListeningPorts], None] = lambda _: None
) -> None:
    """Serve until `stop` is set, then drain. `started` is called once both ports are open. Raises `StartError`."""
    check(options)
    metrics = Metrics()
    certificate = ServedCertificate()
    configuration = Configuration(
        options.values, options.trust_anchors, options.linkerd_namespace, options.release_line
    )
    files = CertificateFiles(options.tls_dir, certificate)
    groups = [files.group] if options.certs == "files" else []
    if _needs_values(options):
        groups.append(configuration.group)
    _load(groups)
    detected = _line(options, configuration)
    async with AsyncExitStack() as stack:
        view = await stack.enter_async_context(cluster_access(options, metrics))
        patterns = PatternJudge()
        stack.push_async_callback(patterns.close)
        upkeep = upkeep_of(options, view.api, certificate, metrics, detected)
        registry = _registry(options, configuration, lambda: detected().line, view, patterns)
        metrics.expect(registry.names)
        status = admin.Status(certificate, groups, view.cache, release_line=detected)
        _watch(metrics, certificate, configuration, lines)
        _watch_renewal(metrics, certificate, self_managed=options.certs == "self-managed")
        metrics.registry.register(FileMetrics(groups, lambda: configuration.anchors))
        metrics.describe(
            "linkerd_webhook_release_line_info",
            "Linkerd's release line that is in force, and the release in it.",
            ("line", "release"),
            lambda: (detected().line.name, detected().line.release.name),
        )
        decisions = DecisionLog()
        known = configuration if _needs_values(options) else None
        page = sources_of(options, status, metrics, decisions, view, known, upkeep)
        if page.mesh is not None:
            stack.push_async_callback(page.mesh.close)
        explainer = Explainer(view.api, lambda: configuration.mesh) if options.explain and view.api else None
        endpoint = Admission(registry, metrics, lines, decisions=decisions, max_in_flight=options.max_in_flight)
        operators_app = admin.create(status, metrics, explainer, page)
        admissions, operators = _servers(options, endpoint, registry, metrics, certificate, operators_app)
        reloader = Reloader(
            groups,
            options.pace,
            reloaded=partial(_count_reload, metrics, upkeep),
            failed=lambda file: metrics.reload_failures.labels(file).inc(),
        )
        await admissions.start()
        await operators.start()
        reloader.start()
        stack.push_async_callback(reloader.stop)
        if upkeep is not None:
            from webhook.upkeep.conditions import conditions

            status.more = partial(conditions, upkeep)
            files.refuses = upkeep.trust.refuses
            upkeep.start()
            stack.push_async_callback(upkeep.stop)
        readiness = Readiness(status)
        metrics.watch("linkerd_webhook_ready", "1 while this replica gets requests.", lambda: float(readiness.is_ready))
        for task in (
            asyncio.create_task(readiness.run(), name="readiness"),
            asyncio.create_task(page.traffic.run(), name="copies of the counters"),
        ):
            stack.callback(task.cancel)
        log.info(
            "serving",
            version=__version__,
            release_line=detected().line.name,
            address=options.addr,
            admin_address=options.admin_addr,
            certificate_expiry=f"{certificate.leaf.not_after:%Y-%m-%dT%H:%M:%SZ}" if certificate.leaf else "",
        )
        _settle_memory()
        started(ListeningPorts(admissions.port, operators.port))
        if validates(options):
            patterns.start()
        resigning = []

        def drain() -> None:
            status.drain()
            if upkeep is not None:
                resigning.append(asyncio.create_task(upkeep.resign(), name="resignation"))

        await serve_until(stop, admissions, operators, options.times, drain)


def _settle_memory() -> None:
    """Exempt all objects that exist now from garbage collection: they stay, and each collection would visit them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _load(groups: Sequence[Group]) -> None:
    problems = []
    for group in groups:
        try:
            group.load()
        except FilesRefused as error:
            problems.append(str(error))
    if problems:
        raise StartError("\n".join(problems))


def _needs_values(options: Options) -> bool:
    """Whether the mesh's values are required. A server of validators or of an extension's injector runs without them,
    as Linkerd's own Deployments of these do not mount them."""
    return options.webhook not in (*VALIDATORS, TAP_INJECTOR, JAEGER_INJECTOR) or options.values.exists()


def _line(options: Options, configuration: Configuration) -> Callable[[], Detected]:
    if _needs_values(options):
        return lambda: configuration.line
    try:
        only = only_line(options.release_line)
    except ValueError as error:
        raise StartError(f"--release-line: {error}") from error
    return lambda: only


def _count_reload(metrics: Metrics, upkeep: Upkeep | None, file: str) -> None:
    """Count a file that was reloaded, and have the leader look at what may depend on it."""
    metrics.reloads.labels(file).inc()
    if upkeep is not None:
        upkeep.look_again()


def _registry(
    options: Options,
    configuration: Configuration,
    line: Callable[[], Line],
    view: ClusterAccess,
    patterns: PatternJudge,
) -> Registry:
    if validates(options):
        # Now, so that no request waits for an import.
        load_all()
    is_known = _needs_values(options)
    if is_known:
        advice.load()
    webhooks: list[AdmissionWebhook] = [
        Validator(
            name,
            line,
            view.catalog,
            patterns.for_request,
            lambda: configuration.mesh.values.cluster_domain if is_known else "",
        )
        for name in VALIDATORS
    ]
    if is_known:
        webhooks.insert(0, ProxyInjector(configuration.injector, view.cluster, view.events, options.tap_service))
        webhooks.append(WorkloadAdvisor(configuration.injector, view.cluster))
    webhooks.append(TapInjector(line, view.cluster, options.tap_service))
    webhooks.append(JaegerInjector(line, view.cluster, options.collector))
    if options.service is not None:
        from webhook.webhooks.self_test import SelfTest

        webhooks.append(SelfTest(options.identity))
    try:
        return Registry(webhooks, options.webhook)
    except ValueError as error:
        raise StartError(f"--webhook: {error}") from error


def _servers(
    options: Options,
    endpoint: Admission,
    registry: Registry,
    metrics: Metrics,
    certificate: ServedCertificate,
    operators: ASGIApp,
) -> tuple[Server, Server]:
    """The servers for admission requests and for the admin port, bound and not started."""
    metrics.watch(
        "linkerd_webhook_pending_bytes",
        "Bytes of request bodies that are being received.",
        lambda: float(endpoint.pending),
    )
    policy = Policy(rejected=metrics.reject, hung_up=metrics.hang_ups.inc)
    try:
        sock = listen.bind(listen.parse(options.addr), "--addr")
        try:
            admin_sock = options.admin_socket or listen.bind(listen.parse(options.admin_addr), "--admin-addr")
        except AddressError:
            sock.close()
            raise
    except AddressError as error:
        raise StartError(str(error)) from error
    app = AdmissionApp(registry, endpoint, metrics)
    return (
        Server(app, sock, policy, options.times, certificate.context),
        Server(operators, admin_sock, Policy(), options.times),
    )


def _watch(metrics: Metrics, certificate: ServedCertificate, configuration: Configuration, lines: logs.Lines) -> None:
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
        "Lines of the log that were dropped, as standard output was not read in time.",
        lambda: float(lines.dropped),
    )


def _watch_renewal(metrics: Metrics, certificate: ServedCertificate, *, self_managed: bool) -> None:
    def renewal() -> float:
        leaf = certificate.leaf
        return (due if self_managed else latest)(leaf).timestamp() if leaf else 0.0

    metrics.watch(
        "linkerd_webhook_certificate_renewal_timestamp_seconds",
        "When the served certificate is to be renewed at the latest, in seconds since 1970.",
        renewal,
    )
