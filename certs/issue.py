"""Issues CAs and serving certificates, with ECDSA P-256 keys and the extensions that TLS clients require."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.inspect import chain, key_text

# Certificates are valid so long before they are issued, as the clocks of other machines may be behind.
CLOCK_SKEW = timedelta(minutes=5)

# The longest common name that X.520 allows. A longer DNS name is complete only in the SANs, which are what clients
# check.
COMMON_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class CertificateAndKey:
    """A certificate and its private key (PKCS #8, not encrypted), each as PEM."""

    certificate: bytes
    key: bytes


def issue_ca(name: str, *, lifetime: timedelta = timedelta(days=365), now: datetime | None = None) -> CertificateAndKey:
    """A new self-signed CA with this common name, which may sign leaves but no other CA. `now` is in UTC."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    certificate = (
        _builder(subject, subject, key.public_key(), lifetime, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def issue_leaf(
    ca: CertificateAndKey,
    dns_names: Sequence[str],
    *,
    lifetime: timedelta = timedelta(days=90),
    now: datetime | None = None,
) -> CertificateAndKey:
    """A new serving certificate for DNS names and IP addresses, signed by the CA. It expires with the CA at the latest.

    `now` is in UTC. Raises `ValueError` if there is no name or the CA has expired, `TypeError` if the CA's key is
    neither an elliptic curve nor an RSA key, and `CertificateError` if the CA cannot be read.
    """
    if not dns_names:
        raise ValueError("a serving certificate needs at least one DNS name")
    authority = chain(ca.certificate)[0]
    signer = serialization.load_pem_private_key(key_text(ca.key), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError(f"the CA's key is {type(signer).__name__}: use an elliptic curve or RSA key")
    now = now or datetime.now(UTC)
    if authority.not_valid_after_utc <= now:
        raise ValueError(f"the CA expired at {authority.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
    lifetime = min(lifetime, authority.not_valid_after_utc - now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(dns_names[0]), authority.subject, key.public_key(), lifetime, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in dns_names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_id(authority), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return _pair(certificate, key)


def _authority_id(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta, now: datetime | None
) -> x509.CertificateBuilder:
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(text: str) -> x509.Name:
    if len(text) > COMMON_NAME_LENGTH:
        text = text[:COMMON_NAME_LENGTH]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> CertificateAndKey:
    return CertificateAndKey(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
