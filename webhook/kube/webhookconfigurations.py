"""Webhook configurations, as far as certificates go: who points at a Service, and what caBundle they trust."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from webhook.kube.data import DataError, decode, encode
from webhook.kube.interface import JSON

ROOT: Final = "/apis/admissionregistration.k8s.io/v1"
MUTATING: Final = "MutatingWebhookConfiguration"
VALIDATING: Final = "ValidatingWebhookConfiguration"
RESOURCES: Final = {MUTATING: "mutatingwebhookconfigurations", VALIDATING: "validatingwebhookconfigurations"}

# Who writes our fields, as `metadata.managedFields` names it.
FIELD_MANAGER: Final = "linkerd-webhook"

# Annotations by which cert-manager's injector takes a caBundle for its own.
# https://cert-manager.io/docs/reference/annotations/
CERT_MANAGER: Final = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
)

# A configuration's kind and name.
Name = tuple[str, str]


def path(name: Name) -> str:
    """Where the API server has a configuration."""
    return f"{ROOT}/{RESOURCES[name[0]]}/{name[1]}"


@dataclass(frozen=True, slots=True)
class Service:
    """The Service in front of the server."""

    namespace: str
    name: str

    @property
    def dns_name(self) -> str:
        """The name that the API server expects in the certificate."""
        return f"{self.name}.{self.namespace}.svc"

    def dns_names(self, cluster_domain: str = "cluster.local") -> tuple[str, ...]:
        """Every form of its name, the API server's first."""
        short = f"{self.name}.{self.namespace}"
        return (self.dns_name, self.name, short, f"{self.dns_name}.{cluster_domain}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A webhook that points at a Service. `bundle` is the PEM in its caBundle, `junk` why that cannot be read;
    `cert_manager` is the annotation by which cert-manager writes the caBundle, "" for none."""

    kind: str
    configuration: str
    webhook: str
    index: int
    bundle: bytes = b""
    junk: str = ""
    cert_manager: str = ""

    @property
    def name(self) -> Name:
        """The configuration's kind and name."""
        return self.kind, self.configuration

    @property
    def field(self) -> str:
        """Where the caBundle is."""
        return f"{self.kind} {self.configuration}: webhooks[{self.index}].clientConfig.caBundle"


def pointing(configuration: JSON, service: Service) -> list[Entry]:
    """The webhooks of a configuration that point at the Service. What makes no sense is passed over."""
    metadata = _dict(_dict(configuration).get("metadata"))
    found = []
    for index, webhook in enumerate(_list(_dict(configuration).get("webhooks"))):
        client = _dict(_dict(webhook).get("clientConfig"))
        target = _dict(client.get("service"))
        if (target.get("namespace"), target.get("name")) != (service.namespace, service.name):
            continue
        bundle, junk = _bundle(client.get("caBundle"))
        found.append(
            Entry(
                kind=str(configuration.get("kind", "")),
                configuration=str(metadata.get("name", "")),
                webhook=str(webhook.get("name", "")),
                index=index,
                bundle=bundle,
                junk=junk,
                cert_manager=cert_manager(configuration),
            )
        )
    return found


def cert_manager(configuration: JSON) -> str:
    """The annotation by which cert-manager writes this configuration's caBundle, "" for none."""
    annotations = _dict(_dict(_dict(configuration).get("metadata")).get("annotations"))
    return next((key for key in CERT_MANAGER if annotations.get(key)), "")


def with_bundle(configuration: JSON, entries: Sequence[Entry], bundle: bytes) -> JSON:
    """The configuration with this bundle in the caBundle of these webhooks, and all else as it is."""
    found = copy.deepcopy(configuration)
    for entry in entries:
        found["webhooks"][entry.index]["clientConfig"]["caBundle"] = encode(bundle)
    return found


def managers(configuration: JSON, webhook: str) -> list[str]:
    """Who has written the caBundle of a webhook: the field managers that own it, us included."""
    found = []
    for entry in _list(_dict(configuration.get("metadata")).get("managedFields")):
        fields = _dict(_dict(entry).get("fieldsV1"))
        for key in ("f:webhooks", f'k:{{"name":"{webhook}"}}', "f:clientConfig"):
            fields = _dict(fields.get(key))
        if "f:caBundle" in fields:
            found.append(str(entry.get("manager", "")))
    return found


def _bundle(text: object) -> tuple[bytes, str]:
    try:
        return decode(text), ""
    except DataError as error:
        return b"", str(error)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> JSON:
    return value if isinstance(value, dict) else {}
