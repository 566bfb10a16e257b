"""The two Secrets of self-managed certificates: what they look like, and what can be wrong with them.

Secret `…-ca` (kubernetes.io/tls): `tls.crt` and `tls.key` are the CA that signs, `next.crt` and `next.key` one that is
to sign soon. Secret `…-tls`: `tls.crt`, `tls.key`, and the CA of the leaf in `ca.crt`.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509

from certs.bundle import salvage
from certs.inspect import CertificateError, chain, check_ca, check_pair, signed_by
from certs.issue import Pair
from webhook.kube.base64_fields import DataError, decode
from webhook.kube.interface import JSON

_Check = Callable[[bytes, bytes, datetime], x509.Certificate]

TYPE: Final = "kubernetes.io/tls"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "linkerd-webhook"
LABELS: Final = {"app.kubernetes.io/name": "linkerd-webhook", MANAGED_BY: MANAGER}

# On the CA's Secret: what is asked for, `ca` or `leaf`, "@", and when.
ROTATE: Final = "linkerd-webhook/rotate"
# On the leaf's Secret: the last such wish that was granted.
ROTATED: Final = "linkerd-webhook/rotated"

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
NEXT_CERTIFICATE: Final = "next.crt"
NEXT_KEY: Final = "next.key"
CA: Final = "ca.crt"


@dataclass(frozen=True, slots=True)
class Held:
    """A usable pair of a Secret, with its certificate read."""

    pair: Pair
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Stored:
    """A Secret as it was read: `body` is None where there is none. `why_not` says why its pair is of no use.

    `issuer` is the CA in `ca.crt` that has signed the leaf.
    """

    name: str
    body: JSON | None = None
    held: Held | None = None
    next: Held | None = None
    why_not: str = ""
    next_why_not: str = ""
    issuer: x509.Certificate | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it may be written: it is ours, or it is not there."""
        if self.body is None:
            return True
        return _dict(_dict(self.body.get("metadata")).get("labels")).get(MANAGED_BY) == MANAGER

    @property
    def rigid(self) -> str:
        """Why it can only be written by making it anew, "" where it can."""
        if self.body is None:
            return ""
        if self.body.get("type") != TYPE:
            return f"its type is {self.body.get('type')}, want {TYPE}, and a type cannot be changed"
        return "it is immutable" if self.body.get("immutable") else ""

    @property
    def has_next(self) -> bool:
        """Whether a next CA is stored, of use or not."""
        return self.next is not None or bool(self.next_why_not)

    @property
    def asked(self) -> str:
        """The rotation that somebody asks for, "" for none."""
        return str(self.annotations.get(ROTATE) or "")

    @property
    def wish(self) -> str:
        """What is to be rotated: `ca` or `leaf`, and anything else is nothing."""
        return self.asked.partition("@")[0]

    @property
    def granted(self) -> str:
        """The last rotation that somebody asked for and that this leaf came of."""
        return str(self.annotations.get(ROTATED) or "")


def read_ca(name: str, body: JSON | None, now: datetime) -> Stored:
    """The Secret of the CA."""
    return _read(name, body, now, check_ca)


def read_leaf(name: str, body: JSON | None, now: datetime) -> Stored:
    """The Secret of the serving certificate."""
    return _read(name, body, now, _check_leaf)


def _check_leaf(certificate: bytes, key: bytes, now: datetime) -> x509.Certificate:
    check_pair(certificate, key, now)
    return chain(certificate)[0]


def _read(name: str, body: JSON | None, now: datetime, check: _Check) -> Stored:
    if body is None:
        return Stored(name, why_not="there is none")
    held, why_not = _pair(body, CERTIFICATE, KEY, now, check)
    following, next_why_not = None, ""
    data = _dict(body.get("data"))
    if NEXT_CERTIFICATE in data or NEXT_KEY in data:
        following, next_why_not = _pair(body, NEXT_CERTIFICATE, NEXT_KEY, now, check)
    annotations = _dict(_dict(body.get("metadata")).get("annotations"))
    issuer = _issuer(data.get(CA), held.certificate) if held else None
    return Stored(name, body, held, following, why_not, next_why_not, issuer, annotations)


def _issuer(value: object, leaf: x509.Certificate) -> x509.Certificate | None:
    try:
        found = salvage(decode(value))[0]
    except DataError:
        return None
    return next((each for each in found if each == leaf or signed_by(leaf, each)), None)


def _pair(body: JSON, certificate_key: str, key_key: str, now: datetime, check: _Check) -> tuple[Held | None, str]:
    found = {}
    for key in (certificate_key, key_key):
        value = _dict(body.get("data")).get(key)
        if not isinstance(value, str) or not value:
            return None, f"data[{key}] is missing"
        try:
            found[key] = base64.b64decode(value, validate=True)
        except ValueError:
            return None, f"data[{key}] is no base64"
    pair = Pair(found[certificate_key], found[key_key])
    try:
        return Held(pair, check(pair.certificate, pair.key, now)), ""
    except CertificateError as error:
        return None, f"data[{certificate_key if error.part == 'certificate' else key_key}]: {error.message}"


def secret(
    namespace: str, stored: Stored, data: Mapping[str, bytes | None], annotations: Mapping[str, str | None]
) -> JSON:
    """The Secret with this data and these annotations in place of those it has; None takes one away.

    Made anew where there is none, or where it cannot be written as it is.
    """
    if stored.body is None or stored.rigid:
        wishes = {key: str(stored.annotations[key]) for key in (ROTATE, ROTATED) if stored.annotations.get(key)}
        metadata = {"name": stored.name, "namespace": namespace, "labels": dict(LABELS), "annotations": wishes}
        kept = dict(_dict(stored.body.get("data"))) if stored.body else {}
        body: JSON = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata, "data": kept}
    else:
        body = copy.deepcopy(stored.body)
    encoded = {key: None if value is None else base64.b64encode(value).decode() for key, value in data.items()}
    body["data"] = _changed(body.get("data"), encoded)
    body["metadata"]["annotations"] = _changed(body["metadata"].get("annotations"), annotations)
    return body


def _changed(mapping: object, changes: Mapping[str, str | None]) -> dict[str, str]:
    found = {**_dict(mapping), **changes}
    return {key: value for key, value in found.items() if value is not None}


def _dict(value: object) -> JSON:
    return value if isinstance(value, dict) else {}
