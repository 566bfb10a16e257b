"""The facts about a running server: its Services and certificates, and what the API server makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.diagnosis.certificates.facts import CertificateFacts
from webhook.diagnosis.selftest import SelfTestResult
from webhook.diagnosis.unseen import Fact
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference


@dataclass(frozen=True, slots=True)
class DryRun:
    """What became of a Pod that was created in `namespace` without being stored: the Pod as it would be stored, or the
    API server's refusal (`status` of HTTP, and `message`)."""

    namespace: str
    pod: JSON | None = None
    status: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What is known of the server behind `services`, which are those of the installation: each Service as the API
    server returns it, None where it does not exist, and the certificates of each."""

    services: Mapping[ServiceReference, Fact[JSON | None]]
    certificates: Mapping[ServiceReference, Fact[CertificateFacts]]
    self_test: Fact[SelfTestResult]
    dry_run: Fact[DryRun]
    # The Pods of the Deployment behind each Service.
    pods: Mapping[ServiceReference, Fact[tuple[JSON, ...]]] = field(default_factory=dict)
