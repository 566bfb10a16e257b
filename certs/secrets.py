"""The two Secrets of self-managed certificates: their content, and the checks of it.

Both have the type kubernetes.io/tls. In Secret `…-ca`, `tls.crt` and `tls.key` are the current CA, `next.crt` and
`next.key` the next one while the CA is being rotated. In Secret `…-tls`, `tls.crt` and `tls.key` are the serving
certificate, and `ca.crt` is the CA that signed it.
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
from certs.issue import CertificateAndKey
from webhook.kube.base64_fields import DataError, decode
from webhook.kube.interface import JSON

_Check = Callable[[bytes, bytes, datetime], x509.Certificate]

TYPE: Final = "kubernetes.io/tls"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "linkerd-webhook"
LABELS: Final = {"app.kubernetes.io/name": "linkerd-webhook", MANAGED_BY: MANAGER}

# The annotation of the CA's Secret that requests a rotation: `ca` or `leaf`, "@", and the time of the request.
ROTATE: Final = "linkerd-webhook/rotate"
# The annotation of the leaf's Secret with the last request that was handled.
ROTATED: Final = "linkerd-webhook/rotated"
# The value of `Stored.why_not` for a Secret that was not found.
MISSING: Final = "the Secret does not exist"

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
NEXT_CERTIFICATE: Final = "next.crt"
NEXT_KEY: Final = "next.key"
CA: Final = "ca.crt"


@dataclass(frozen=True, slots=True)
class Held:
    """A usable pair in a Secret, and its certificate."""

    pair: CertificateAndKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Stored:
    """A Secret as it was read; `body` is None if it does not exist.

    `held` and `next` are its pairs; `why_not` and `next_why_not` say why a pair cannot be used. `issuer` is the CA in
    `ca.crt` that signed the leaf.
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
        """Whether this server may write the Secret: it does not exist, or is labelled as managed by this server."""
        if self.body is None:
            return True
        return _dict(_dict(self.body.get("metadata")).get("labels")).get(MANAGED_BY) == MANAGER

    @property
    def unchangeable(self) -> str:
        """Why the Secret must be deleted and created again to change it, "" if it can be changed."""
        if self.body is None:
            return ""
        if self.body.get("type") != TYPE:
            return f"its type is {self.body.get('type')} instead of {TYPE}, and a type cannot be changed"
        return "it is immutable" if self.body.get("immutable") else ""

    @property
    def has_next(self) -> bool:
        """Whether the Secret holds a next CA, usable or not."""
        return self.next is not None or bool(self.next_why_not)

    @property
    def request(self) -> str:
        """The requested rotation, as the annotation `ROTATE` holds it, "" if none is requested."""
        return str(self.annotations.get(ROTATE) or "")

    @property
    def requested_part(self) -> str:
        """What the request is to rotate: `ca` or `leaf`. Any other value is to be ignored."""
        return self.request.partition("@")[0]

    @property
    def handled_request(self) -> str:
        """The last request that was handled, as the annotation `ROTATED` holds it, "" for none."""
        return str(self.annotations.get(ROTATED) or "")


def read_ca(name: str, body: JSON | None, now: datetime) -> Stored:
    """The Secret of the CA with this name. `body` is its JSON, None if it does not exist; `now` is in UTC."""
    return _read(name, body, now, check_ca)


def read_leaf(name: str, body: JSON | None, now: datetime) -> Stored:
    """The Secret of the serving certificate, as `read_ca`."""
    return _read(name, body, now, _check_leaf)


def _check_leaf(certificate: bytes, key: bytes, now: datetime) -> x509.Certificate:
    check_pair(certificate, key, now)
    return chain(certificate)[0]


def _read(name: str, body: JSON | None, now: datetime, check: _Check) -> Stored:
    if body is None:
        return Stored(name, why_not=MISSING)
    held, why_not = _pair(body, CERTIFICATE, KEY, now, check)
    next_held, next_why_not = None, ""
    data = _dict(body.get("data"))
    if NEXT_CERTIFICATE in data or NEXT_KEY in data:
        next_held, next_why_not = _pair(body, NEXT_CERTIFICATE, NEXT_KEY, now, check)
    annotations = _dict(_dict(body.get("metadata")).get("annotations"))
    issuer = _issuer(data.get(CA), held.certificate) if held else None
    return Stored(name, body, held, next_held, why_not, next_why_not, issuer, annotations)


def _issuer(value: object, leaf: x509.Certificate) -> x509.Certificate | None:
    try:
        cas = salvage(decode(value))[0]
    except DataError:
        return None
    return next((ca for ca in cas if ca == leaf or signed_by(leaf, ca)), None)


def _pair(body: JSON, certificate_key: str, key_key: str, now: datetime, check: _Check) -> tuple[Held | None, str]:
    pems = {}
    for key in (certificate_key, key_key):
        value = _dict(body.get("data")).get(key)
        if not isinstance(value, str) or not value:
            return None, f"data[{key}] is missing"
        try:
            pems[key] = base64.b64decode(value, validate=True)
        except ValueError:
            return None, f"data[{key}] is not base64"
    pair = CertificateAndKey(pems[certificate_key], pems[key_key])
    try:
        return Held(pair, check(pair.certificate, pair.key, now)), ""
    except CertificateError as error:
        return None, f"data[{certificate_key if error.part == 'certificate' else key_key}]: {error.message}"


def secret(
    namespace: str, stored: Stored, data: Mapping[str, bytes | None], annotations: Mapping[str, str | None]
) -> JSON:
    """The Secret's JSON with changed data and annotations. None removes a key.

    It is a new Secret if `stored` does not exist or cannot be changed; a new one keeps the data and the annotations of
    rotation requests.
    """
    if stored.body is None or stored.unchangeable:
        requests = {key: str(stored.annotations[key]) for key in (ROTATE, ROTATED) if stored.annotations.get(key)}
        metadata = {"name": stored.name, "namespace": namespace, "labels": dict(LABELS), "annotations": requests}
        kept = dict(_dict(stored.body.get("data"))) if stored.body else {}
        body: JSON = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata, "data": kept}
    else:
        body = copy.deepcopy(stored.body)
    encoded = {key: None if value is None else base64.b64encode(value).decode() for key, value in data.items()}
    body["data"] = _changed(body.get("data"), encoded)
    body["metadata"]["annotations"] = _changed(body["metadata"].get("annotations"), annotations)
    return body


def _changed(mapping: object, changes: Mapping[str, str | None]) -> dict[str, str]:
    changed = {**_dict(mapping), **changes}
    return {key: value for key, value in changed.items() if value is not None}


def _dict(value: object) -> JSON:
    return value if isinstance(value, dict) else {}
