"""Mesh identities: names like those in DNS, or SPIFFE ids.

The grammar of the ids: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
"""

from __future__ import annotations

import re
from typing import Any, Final

from webhook.findings.finding import Path, Severity, declare, show
from webhook.policy.schema.reading import Reading
from webhook.policy.schema.shape import Shape, String

IDENTITY = declare(
    "identity-invalid", Severity.ERROR, "FieldValueInvalid", "A policy names an identity that no client can have."
)

TRUST_DOMAIN = declare(
    "identity-trust-domain",
    Severity.WARNING,
    "FieldValueInvalid",
    "An identity has no trust domain, or is a Service's name, so that no client has it.",
)

_SCHEME: Final = "spiffe://"
# Matched in full: `$` would let a newline through.
_DNS_PATTERN: Final = r"(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_DNS_LIKE = re.compile(_DNS_PATTERN)
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")


def what_is_wrong(identity: str) -> str:
    """What is wrong with the form of an identity and what to write; an empty string for a valid one."""
    if not identity.startswith(_SCHEME):
        return "" if _DNS_LIKE.fullmatch(identity) else _why_not_a_name(identity)
    domain, slash, path = identity[len(_SCHEME) :].partition("/")
    if not domain:
        return "the trust domain is missing; write spiffe://TRUST-DOMAIN/PATH"
    if not _TRUST_DOMAIN.fullmatch(domain):
        return "write the trust domain with lower-case letters, digits, dots, dashes and underscores only"
    if not slash:
        return ""
    *inner, last = path.split("/")
    if not last:
        return "the path ends in a slash; take it away"
    for segment in (*inner, last):
        if not segment:
            return "the path has an empty segment (//); take one slash away"
        if segment in (".", ".."):
            return "the path has a dot segment, which SPIFFE forbids; take it away"
        if not _SEGMENT.fullmatch(segment):
            return "write the path with letters, digits, dots, dashes and underscores only"
    return ""


_ACCOUNT: Final = ".serviceaccount.identity"
_EXAMPLE: Final = "web.emojivoto.serviceaccount.identity.linkerd.cluster.local"


def what_is_missing(identity: str) -> str:
    """Why no client can have an identity whose form is valid, and what to write; an empty string where one may.

    Linkerd's identities are ACCOUNT.NAMESPACE.serviceaccount.identity.LINKERD-NAMESPACE.TRUST-DOMAIN.
    """
    if identity.startswith(_SCHEME):
        return ""
    head, account, tail = identity.partition(_ACCOUNT)
    labels = [label for label in tail.split(".") if label]
    if account and len(labels) < 2 and (not tail or tail.startswith(".")):
        end = f".{labels[0]}" if labels else ".linkerd"
        return (
            f"{show(identity)} has no trust domain, so that no client has this identity: write "
            f"{head}{_ACCOUNT}{end}.cluster.local, with the trust domain of your mesh at the end"
        )
    name = identity.split(".")
    if len(name) > 3 and name[2] == "svc":
        return (
            f"{show(identity)} is the name of a Service, and clients have the identities of ServiceAccounts: write one "
            f"such as {_EXAMPLE}"
        )
    if account or identity.startswith("*") or len(name) > 2:
        return ""
    write = f"{identity}{_ACCOUNT}.linkerd.cluster.local" if len(name) == 2 else f"one such as {_EXAMPLE}"
    return f"{show(identity)} has no trust domain, so that no client has this identity: write {write}"


def _why_not_a_name(identity: str) -> str:
    if identity.lower() != identity and _DNS_LIKE.fullmatch(identity.lower()):
        return f"upper-case letters are not allowed; write {identity.lower()}"
    if identity.strip() != identity:
        return "take the white space away"
    if "*" in identity:
        return (
            "a * can only be the whole first label; write one such as "
            "*.emojivoto.serviceaccount.identity.linkerd.cluster.local"
        )
    if "://" in identity:
        return "the only URIs that are identities have the form spiffe://TRUST-DOMAIN/PATH; write one of that form"
    return (
        "write a name of lower-case letters, digits, dashes and dots such as "
        "web.emojivoto.serviceaccount.identity.linkerd.cluster.local, or a SPIFFE id"
    )


class ClientIdentity(Shape):
    """A mesh identity, for release lines whose policy controller checks identities itself."""

    wanted = "an identity"

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The identity itself."""
        if type(value) is not str:
            return self.wrong_type(value, path, reading)
        wrong = what_is_wrong(value)
        if wrong:
            reading.note(IDENTITY, path, f"{show(value)} is not an identity: {wrong}")
        else:
            _warn(value, path, reading)
        return value


class _DnsIdentity(String):
    """A mesh identity that only the CRD's schema checks: a name as in DNS."""

    plain = None

    def __init__(self) -> None:
        super().__init__(pattern=_DNS_PATTERN, like=f"an identity such as {_EXAMPLE}")

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The identity itself."""
        if type(value) is str:
            _warn(value, path, reading)
        return super().read(value, path, reading)


def _warn(identity: str, path: Path, reading: Reading) -> None:
    missing = what_is_missing(identity) if _DNS_LIKE.fullmatch(identity) else ""
    if missing:
        reading.note(TRUST_DOMAIN, path, missing)


DNS_IDENTITY: Final = _DnsIdentity()
