"""Points Linkerd's own webhook configurations at our Service (adopts them), and restores them. Pure.

An annotation on the configuration keeps where its webhooks pointed before, so that it can be restored without any
object of ours.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.bundle import salvage, valid, write
from webhook.install.configurations import NAME
from webhook.kube.base64_fields import DataError, decode, encode
from webhook.kube.fields import mapping, sequence, text
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import (
    MUTATING,
    VALIDATING,
    ConfigurationName,
    ServiceReference,
    cert_manager,
    pointing,
)

# Linkerd's webhook configurations, of every release line.
LINKERD_CONFIGURATIONS: Final[tuple[ConfigurationName, ...]] = (
    (MUTATING, "linkerd-proxy-injector-webhook-config"),
    (VALIDATING, "linkerd-policy-validator-webhook-config"),
    (VALIDATING, "linkerd-sp-validator-webhook-config"),
)

# Those of the injectors of Linkerd's extensions viz and jaeger, which a cluster may have or not.
TAP_INJECTOR: Final[ConfigurationName] = (MUTATING, "linkerd-tap-injector-webhook-config")
JAEGER_INJECTOR: Final[ConfigurationName] = (MUTATING, "linkerd-jaeger-injector-webhook-config")

# All configurations that may be adopted.
ADOPTABLE: Final = (*LINKERD_CONFIGURATIONS, TAP_INJECTOR, JAEGER_INJECTOR)

# The path of our server for the requests of each of them.
PATHS: Final[dict[ConfigurationName, str]] = {
    (MUTATING, "linkerd-proxy-injector-webhook-config"): "/proxy-injector",
    (VALIDATING, "linkerd-sp-validator-webhook-config"): "/sp-validator",
    (VALIDATING, "linkerd-policy-validator-webhook-config"): "/policy-validator",
    TAP_INJECTOR: "/tap-injector",
    JAEGER_INJECTOR: "/jaeger-injector",
}

# The annotation on an adopted configuration: the previous clientConfig of each webhook by its name, as JSON.
ADOPTED_FROM: Final = "linkerd-webhook/adopted-from"

# The command that adopts a configuration again if it was changed to point elsewhere.
AGAIN: Final = "linkerd-webhook install --adopt --again"

# The common name of the CAs that this server makes.
_CA: Final = f"{NAME} CA"

# Characters of an annotation's value that a message repeats.
_SHOWN: Final = 80


class AdoptionStatus(Enum):
    """Whether one of Linkerd's configurations is adopted."""

    FOREIGN = "not adopted"
    ADOPTED = "adopted"
    # It was adopted, and was changed to point elsewhere since.
    OVERWRITTEN = "overwritten"
    # cert-manager writes its caBundle: it would overwrite ours.
    CERT_MANAGER = "kept by cert-manager"


class RestoreError(Exception):
    """A configuration of Linkerd's points at our Service, and its annotation does not hold where it pointed before."""


def status(configuration: JSON, service: ServiceReference) -> AdoptionStatus:
    """Whether a configuration is adopted by the server behind this Service."""
    ours = {entry.index for entry in pointing(configuration, service)}
    webhooks = configuration.get("webhooks")
    if ours and isinstance(webhooks, list) and len(ours) == len(webhooks):
        return AdoptionStatus.ADOPTED
    if ADOPTED_FROM in _annotations(configuration):
        return AdoptionStatus.OVERWRITTEN
    if cert_manager(configuration):
        return AdoptionStatus.CERT_MANAGER
    return AdoptionStatus.FOREIGN


def adopted(
    configuration: JSON, path: str, service: ServiceReference, ca_bundle: str, now: datetime | None = None
) -> JSON:
    """A copy of the configuration in which all webhooks point at `path` of our Service; nothing else differs.

    `ca_bundle` is in base64, as in the field `caBundle`. Linkerd's CAs stay beside it, as `linkerds_cas` describes:
    those that are valid `now` (UTC), or all of them.
    """
    configuration = copy.deepcopy(configuration)
    webhooks = configuration.get("webhooks") or ()
    before = {webhook["name"]: webhook["clientConfig"] for webhook in webhooks}
    annotations = configuration["metadata"].setdefault("annotations", {})
    annotations[ADOPTED_FROM] = json.dumps(before, sort_keys=True, separators=(",", ":"))
    linkerds = linkerds_cas(configuration)
    beside = salvage(linkerds)[0] if now is None else valid(linkerds, now)
    bundle = encode(write([*salvage(_pem(ca_bundle))[0], *beside])) if beside else ca_bundle
    for webhook in webhooks:
        webhook["clientConfig"] = {
            "service": {"namespace": service.namespace, "name": service.name, "path": path, "port": 443},
            "caBundle": bundle,
        }
    return configuration


def linkerds_cas(configuration: JSON) -> bytes:
    """The CAs (PEM) that the webhooks of an adopted configuration trusted before; b"" where it was not adopted.

    `linkerd check` verifies the certificates in Linkerd's own Secrets by the caBundles of these configurations, so an
    adopted caBundle has to hold them, too, as long as they are valid: with an expired one it fails as well.
    https://github.com/linkerd/linkerd2/blob/edge-26.8.3/pkg/healthcheck/healthcheck.go#L1496
    """
    clients = _parsed(_annotations(configuration).get(ADOPTED_FROM)).values()
    return write(
        ca for client in clients for ca in salvage(_pem(mapping(client).get("caBundle")))[0] if not _is_ours(ca)
    )


def _pem(text: object) -> bytes:
    try:
        return decode(text)
    except DataError:
        return b""


def _is_ours(ca: x509.Certificate) -> bool:
    """Whether this server has made a CA: an adoption that was undone by hand may have left it there."""
    return any(name.value == _CA for name in ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def linkerds_service(configuration: JSON, service: ServiceReference) -> ServiceReference | None:
    """The Service of Linkerd's own webhook: that of the first webhook, or the one before our `service` adopted it.

    None for a URL, and where the annotation does not tell.
    """
    before = _parsed(_annotations(configuration).get(ADOPTED_FROM))
    for webhook in map(mapping, sequence(configuration, "webhooks")):
        client = mapping(webhook, "clientConfig")
        if _points_at_ours(webhook, service.namespace):
            client = mapping(before, text(webhook, "name"))
        target = mapping(client, "service")
        if target.get("namespace") and target.get("name"):
            return ServiceReference(str(target["namespace"]), str(target["name"]))
    return None


def is_restorable(configuration: JSON, namespace: str) -> bool:
    """Whether there is anything to restore: the annotation, or a webhook that points at our Service in this
    namespace."""
    points = any(_points_at_ours(webhook, namespace) for webhook in sequence(configuration, "webhooks"))
    return points or ADOPTED_FROM in _annotations(configuration)


def restored(configuration: JSON, namespace: str) -> JSON:
    """A copy of one of Linkerd's configurations as it was before our server in this namespace adopted it.

    A webhook that was changed to point elsewhere is left as it is. Raises `RestoreError`.
    """
    configuration = copy.deepcopy(configuration)
    what = f"{configuration.get('kind')} {configuration['metadata'].get('name')}"
    annotation = _annotations(configuration).pop(ADOPTED_FROM, None)
    before = _parsed(annotation)
    for index, webhook in enumerate(sequence(configuration, "webhooks")):
        if not _points_at_ours(webhook, namespace):
            continue
        client = before.get(webhook.get("name"))
        if not isinstance(client, dict) or not client:
            raise RestoreError(
                f"{what}: webhooks[{index}].clientConfig points at Service {namespace}/{NAME}, and "
                f"metadata.annotations[{ADOPTED_FROM}] is {_short(annotation)}, which does not contain where "
                f'"{webhook.get("name")}" pointed before: apply Linkerd\'s own again (linkerd upgrade | kubectl apply '
                "-f -, or helm upgrade; of an extension: linkerd viz install, or linkerd jaeger install), or delete "
                "it, then uninstall again"
            )
        webhook["clientConfig"] = client
    if configuration["metadata"].get("annotations") == {}:
        del configuration["metadata"]["annotations"]
    return configuration


def _parsed(annotation: object) -> JSON:
    try:
        return mapping(json.loads(annotation)) if isinstance(annotation, str) else {}
    except ValueError:
        return {}


def _short(annotation: object) -> str:
    text = "missing" if annotation is None else repr(annotation)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _points_at_ours(webhook: object, namespace: str) -> bool:
    service = mapping(mapping(mapping(webhook).get("clientConfig")).get("service"))
    return (service.get("namespace"), service.get("name")) == (namespace, NAME)


def _annotations(configuration: Mapping[str, Any]) -> JSON:
    return mapping(mapping(configuration.get("metadata")).get("annotations"))
