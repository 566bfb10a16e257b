"""All lines of `check`, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from webhook.diagnosis.check import (
    configurations,
    data_plane,
    guarded,
    installed,
    kubernetes,
    linkerd,
    rights,
    server,
    tls,
)
from webhook.diagnosis.check.line import Line
from webhook.diagnosis.installation import checks, prerequisites, setup

LINES: Final[tuple[Line, ...]] = (
    kubernetes.client,
    kubernetes.query,
    kubernetes.version,
    *setup.MAY_CREATE,
    setup.clock_skew,
    *checks.LINES,
    *prerequisites.LINES,
    linkerd.crds,
    linkerd.linkerd_config,
    linkerd.trust_roots,
    linkerd.release_line,
    installed.installed,
    rights.rights,
    configurations.configurations,
    configurations.adopted,
    configurations.two_injectors,
    configurations.deadlock,
    guarded.guard,
    linkerd.trust_anchors,
    linkerd.trust_anchors_60_days,
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
