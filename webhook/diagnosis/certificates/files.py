"""The same look at certificates in files, with no cluster."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from certs.inspect import CertificateError, check_pair
from certs.tls import verdicts
from webhook.diagnosis.certificates.facts import Bundle, Kept, State, Summary, bundle, first
from webhook.kube.webhookconfigurations import Service


class FileError(Exception):
    """A file that cannot be read: the message names it and says why."""


def look(directory: Path, ca_bundle: Path | None, service: Service, now: datetime) -> State:
    """`tls.crt` and `tls.key` of a folder, and the CAs to trust: those of `ca_bundle`, else of its `ca.crt`, if any.

    Raises `FileError`.
    """
    chain, key = _read(directory / "tls.crt"), _read(directory / "tls.key")
    trusted = ca_bundle or directory / "ca.crt"
    bundles: tuple[Bundle, ...] = ()
    if ca_bundle is not None or trusted.exists():
        bundles = (bundle(str(trusted), "CA certificates", "", _read(trusted)),)
    kept = _pair(directory, chain, key, now)
    tried = [each.pem for each in bundles if each.anchors]
    found = verdicts(chain, key, tried, service.dns_name) if not kept.why_not else {}
    return State(
        service=service,
        at=now,
        kept=(kept,),
        bundles=bundles,
        trust={(kept.where, pem): why for pem, why in found.items()},
        files=True,
    )


def _pair(directory: Path, chain: bytes, key: bytes, now: datetime) -> Kept:
    certificate = first(chain)
    summary = Summary.of(certificate) if certificate else None
    try:
        check_pair(chain, key, now)
    except CertificateError as error:
        part = "tls.crt" if error.part == "certificate" else "tls.key"
        return Kept(str(directory), "leaf", part, summary, error.message)
    return Kept(str(directory), "leaf", "tls.crt", summary)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
