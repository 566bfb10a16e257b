"""Gathers the same facts about certificates in files, without a cluster."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from certs.inspect import CertificateError, check_pair
from certs.tls import verdicts
from webhook.diagnosis.certificates.facts import (
    CaBundle,
    CertificateFacts,
    CertificateSummary,
    KeptCertificate,
    first,
    read_ca_bundle,
)
from webhook.kube.webhookconfigurations import ServiceReference


class FileError(Exception):
    """A file that cannot be read: the message names it and says why."""


def gather_files(directory: Path, ca_bundle: Path | None, service: ServiceReference, now: datetime) -> CertificateFacts:
    """The facts about `tls.crt` and `tls.key` of a folder at this moment (`now`, UTC). The CAs to trust are those of
    `ca_bundle`, else those of `ca.crt` in the folder, if it is there. Raises `FileError`.
    """
    chain, key = _read(directory / "tls.crt"), _read(directory / "tls.key")
    trusted = ca_bundle or directory / "ca.crt"
    bundles: tuple[CaBundle, ...] = ()
    if ca_bundle is not None or trusted.exists():
        bundles = (read_ca_bundle(str(trusted), "CA certificates", "", _read(trusted)),)
    kept = _pair(directory, chain, key, now)
    tried = [bundle.pem for bundle in bundles if bundle.anchors]
    reasons = verdicts(chain, key, tried, service.dns_name) if not kept.why_not else {}
    return CertificateFacts(
        service=service,
        at=now,
        kept=(kept,),
        configurations={"files": bundles},
        trust={(kept.where, pem): why for pem, why in reasons.items()},
        files=True,
    )


def _pair(directory: Path, chain: bytes, key: bytes, now: datetime) -> KeptCertificate:
    certificate = first(chain)
    summary = CertificateSummary.of(certificate) if certificate else None
    try:
        check_pair(chain, key, now)
    except CertificateError as error:
        part = "tls.crt" if error.part == "certificate" else "tls.key"
        return KeptCertificate(str(directory), "leaf", part, summary, error.message)
    return KeptCertificate(str(directory), "leaf", "tls.crt", summary)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
