"""The pair in a directory: loaded at the start, and again whenever its files change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from certs.inspect import CertificateError
from certs.secrets import CERTIFICATE, KEY
from certs.tls import ServedCertificate
from webhook.server.reload import Contents, Group, Refused


def pair_in(directory: Path, served: ServedCertificate, wait: Callable[[bytes, bytes], str] = lambda *_: "") -> Group:
    """`tls.crt` and `tls.key` of a directory, as files to load and reload.

    `wait` says why a good pair must not be served yet, "" where it may be.
    """

    def prepare(contents: Contents) -> Callable[[], None]:
        try:
            pair = served.check(contents[CERTIFICATE], contents[KEY])
        except CertificateError as error:
            path = directory / (CERTIFICATE if error.part == "certificate" else KEY)
            raise Refused(f"{path}: {error.message}") from error
        why = wait(pair.chain, pair.key)
        if why:
            raise Refused(f"{directory / CERTIFICATE}: not served yet, as who calls would not trust it: {why}")
        return lambda: served.serve(pair)

    return Group("certificate", {name: directory / name for name in (CERTIFICATE, KEY)}, prepare)
