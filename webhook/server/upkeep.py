"""Creates the `Upkeep` of certificates and webhook configurations that the options of `serve` ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from certs.tls import ServedCertificate
from webhook.mesh.releases import Detected
from webhook.server.metrics import Metrics
from webhook.server.options import Options

if TYPE_CHECKING:
    from webhook.kube.api import ApiServer
    from webhook.kube.webhookconfigurations import ConfigurationName
    from webhook.upkeep.leader import Upkeep


def upkeep_of(
    options: Options,
    api: ApiServer | None,
    certificate: ServedCertificate,
    metrics: Metrics,
    detected: Callable[[], Detected],
) -> Upkeep | None:
    """The `Upkeep` of a server with a Service and a cluster, None for another one. `detected` returns the release line
    in force."""
    if options.service is None or api is None:
        return None
    # Imported here, because a server without --service does not need these modules.
    from webhook.kube.webhookconfigurations import ServiceReference
    from webhook.server.upkeep_metrics import UpkeepMetrics
    from webhook.upkeep.leader import Upkeep
    from webhook.upkeep.registration import Duties

    duties = Duties(
        service=ServiceReference(options.linkerd_namespace, options.service),
        identity=options.identity,
        self_managed=options.certs == "self-managed",
        adopt=options.adopt,
        extensions=_extensions(options),
        cluster_domain=options.cluster_domain,
        ca=lambda: _read(options.tls_dir / "ca.crt"),
        line=lambda: None if (detected_line := detected()).unknown else detected_line.line,
    )
    upkeep = Upkeep(
        api,
        duties,
        certificate,
        lambda taken: (metrics.reloads if taken else metrics.reload_failures).labels("secret").inc(),
    )
    metrics.registry.register(UpkeepMetrics(upkeep))
    return upkeep


def _extensions(options: Options) -> tuple[ConfigurationName, ...]:
    """The configurations of the extensions for whose injectors the server can answer."""
    from webhook.install.adoption import JAEGER_INJECTOR, TAP_INJECTOR

    answers = ((TAP_INJECTOR, options.tap_service), (JAEGER_INJECTOR, options.collector.address))
    return tuple(name for name, told in answers if told)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
