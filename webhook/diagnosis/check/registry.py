"""All lines of `check`, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from webhook.diagnosis.check import configurations, data_plane, guarded, installed, kubernetes, rights, server, tls
from webhook.diagnosis.check.line import Line

LINES: Final[tuple[Line, ...]] = (
    kubernetes.client,
    kubernetes.query,
    installed.installed,
    rights.rights,
    configurations.configurations,
    configurations.adopted,
    configurations.two_injectors,
    configurations.deadlock,
    guarded.guard,
    tls.certificate,
    tls.ca_bundle,
    tls.expiry,
    server.replicas,
    server.replicas_fail,
    server.webhook_reached,
    server.webhook_injects,
    kubernetes.namespace,
    *data_plane.LINES,
)
