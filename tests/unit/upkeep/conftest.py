"""A Service, its certificates, and webhook configurations that point at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from webhook.kube.base64_fields import encode
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import MUTATING, ConfigurationName, ServiceReference, pointing

JSON = dict[str, Any]

SERVICE = ServiceReference("linkerd", "linkerd-webhook")


def webhook(name: str, ca: bytes = b"", service: str = SERVICE.name, **more: Any) -> JSON:
    """A webhook of a configuration."""
    client: JSON = {"service": {"namespace": "linkerd", "name": service, "path": "/", "port": 443}}
    if ca:
        client["caBundle"] = encode(ca)
    return {"name": name, "clientConfig": client, **more}


def configuration(name: ConfigurationName, *webhooks: JSON, annotations: Mapping[str, str] | None = None) -> JSON:
    """A webhook configuration."""
    metadata: JSON = {"name": name[1]}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"kind": name[0], "metadata": metadata, "webhooks": list(webhooks)}


class Known:
    """What stands in for the watched configurations."""

    def __init__(self, *bodies: JSON) -> None:
        self.service = SERVICE
        self.synced = True
        self.problem = ""
        self.by_name = {(body["kind"], body["metadata"]["name"]): body for body in bodies}

    def all(self) -> list[JSON]:
        return list(self.by_name.values())

    def get(self, name: ConfigurationName) -> JSON | None:
        return self.by_name.get(name)


def refused(status: int, message: str) -> ApiError:
    """The API server's no."""
    return ApiError(status, message)


def bundles(body: JSON) -> list[bytes]:
    """The caBundles of a configuration that point at the Service."""
    return [entry.bundle for entry in pointing(body, SERVICE)]


@pytest.fixture(scope="session")
def ca() -> CertificateAndKey:
    """A CA."""
    return issue_ca("one")


@pytest.fixture(scope="session")
def other_ca() -> CertificateAndKey:
    """Another CA."""
    return issue_ca("two")


@pytest.fixture
def leaf(ca: CertificateAndKey) -> CertificateAndKey:
    """A serving certificate of the CA."""
    return issue_leaf(ca, SERVICE.dns_names())


@pytest.fixture
def other_leaf(other_ca: CertificateAndKey) -> CertificateAndKey:
    """A serving certificate of the other CA."""
    return issue_leaf(other_ca, SERVICE.dns_names())


INJECTOR = (MUTATING, "linkerd-webhook")
