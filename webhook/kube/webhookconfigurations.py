"""MutatingWebhookConfigurations and ValidatingWebhookConfigurations: the webhooks that point at a Service, and their
caBundles.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webhook.kube.base64_fields import DataError, decode, encode
from webhook.kube.fields import mapping, sequence
from webhook.kube.interface import JSON

ROOT: Final = "/apis/admissionregistration.k8s.io/v1"
MUTATING: Final = "MutatingWebhookConfiguration"
VALIDATING: Final = "ValidatingWebhookConfiguration"
RESOURCES: Final = {MUTATING: "mutatingwebhookconfigurations", VALIDATING: "validatingwebhookconfigurations"}

# The field manager that `metadata.managedFields` names for the fields that this server writes.
FIELD_MANAGER: Final = "linkerd-webhook"

# Annotations that make cert-manager's injector write the caBundle.
# https://cert-manager.io/docs/reference/annotations/
CERT_MANAGER: Final = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
)

# A configuration's kind and name.
ConfigurationName = tuple[str, str]


def path(name: ConfigurationName) -> str:
    """The path of a configuration on the API server."""
    return f"{ROOT}/{RESOURCES[name[0]]}/{name[1]}"


@dataclass(frozen=True, slots=True)
class ServiceReference:
    """The Service that the webhook configurations point at."""

    namespace: str
    name: str

    @property
    def dns_name(self) -> str:
        """The name that the API server expects in the certificate."""
        return f"{self.name}.{self.namespace}.svc"

    def dns_names(self, cluster_domain: str = "cluster.local") -> tuple[str, ...]:
        """All DNS names of the Service, the one that the API server uses first."""
        short = f"{self.name}.{self.namespace}"
        return (self.dns_name, self.name, short, f"{self.dns_name}.{cluster_domain}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A webhook that points at a Service: entry `index` of `webhooks` in the configuration of this kind and name.

    `bundle` is the PEM in its caBundle, `junk` the reason why it cannot be read ("" if it can). `cert_manager` is the
    annotation that makes cert-manager write the caBundle, "" if there is none.
    """

    kind: str
    configuration: str
    webhook: str
    index: int
    bundle: bytes = b""
    junk: str = ""
    cert_manager: str = ""

    @property
    def name(self) -> ConfigurationName:
        """The configuration's kind and name."""
        return self.kind, self.configuration

    @property
    def where(self) -> str:
        """The configuration, as messages name it."""
        return f"{self.kind} {self.configuration}"

    @property
    def path(self) -> str:
        """The path of the caBundle in the configuration."""
        return f"webhooks[{self.index}].clientConfig.caBundle"

    @property
    def field(self) -> str:
        """The caBundle's field, for a message."""
        return f"{self.where}: {self.path}"


def pointing(configuration: JSON, service: ServiceReference) -> list[Entry]:
    """The webhooks of a configuration that point at the Service. Malformed fields are ignored."""
    metadata = mapping(mapping(configuration).get("metadata"))
    entries = []
    for index, webhook in enumerate(sequence(mapping(configuration).get("webhooks"))):
        client = mapping(mapping(webhook).get("clientConfig"))
        target = mapping(client.get("service"))
        if (target.get("namespace"), target.get("name")) != (service.namespace, service.name):
            continue
        bundle, junk = _bundle(client.get("caBundle"))
        entries.append(
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
    return entries


def cert_manager(configuration: JSON) -> str:
    """The annotation that makes cert-manager write the caBundles of a configuration, "" if it has none."""
    annotations = mapping(mapping(mapping(configuration).get("metadata")).get("annotations"))
    return next((key for key in CERT_MANAGER if annotations.get(key)), "")


def with_bundle(configuration: JSON, entries: Sequence[Entry], bundle: bytes) -> JSON:
    """A copy of the configuration, with `bundle` (PEM) in the caBundle of the webhooks in `entries`."""
    changed = copy.deepcopy(configuration)
    for entry in entries:
        changed["webhooks"][entry.index]["clientConfig"]["caBundle"] = encode(bundle)
    return changed


def managers(configuration: JSON, webhook: str) -> list[str]:
    """The field managers that own the caBundle of the webhook with this name, `FIELD_MANAGER` included."""
    owners = []
    for entry in sequence(mapping(configuration.get("metadata")).get("managedFields")):
        fields = mapping(mapping(entry).get("fieldsV1"))
        for key in ("f:webhooks", f'k:{{"name":"{webhook}"}}', "f:clientConfig"):
            fields = mapping(fields.get(key))
        if "f:caBundle" in fields:
            owners.append(str(entry.get("manager", "")))
    return owners


def _bundle(text: object) -> tuple[bytes, str]:
    try:
        return decode(text), ""
    except DataError as error:
        return b"", str(error)
