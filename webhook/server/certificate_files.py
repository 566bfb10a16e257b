"""The serving certificate in a folder: loaded at the start, and again whenever its files change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from certs.inspect import CertificateError
from certs.secrets import CERTIFICATE, KEY
from certs.tls import ServedCertificate
from webhook.server.reload import Contents, FilesRefused, Group


class CertificateFiles:
    """`tls.crt` and `tls.key` of a folder; `group` is their group of files for the `Reloader`.

    `refuses` gets a valid chain and its key (PEM) and returns why they must not be served yet, "" if they may. Set it
    once the caBundles of the cluster are known.
    """

    def __init__(self, folder: Path, served: ServedCertificate) -> None:
        """`served`: the certificate to replace whenever the files change."""
        self._folder = folder
        self._served = served
        self.refuses: Callable[[bytes, bytes], str] = lambda chain, key: ""
        self.group = Group("certificate", {name: folder / name for name in (CERTIFICATE, KEY)}, self._prepare)

    def _prepare(self, contents: Contents) -> Callable[[], None]:
        try:
            pair = self._served.check(contents[CERTIFICATE], contents[KEY])
        except CertificateError as error:
            path = self._folder / (CERTIFICATE if error.part == "certificate" else KEY)
            raise FilesRefused(f"{path}: {error.message}") from error
        why = self.refuses(pair.chain, pair.key)
        if why:
            raise FilesRefused(
                f"{self._folder / CERTIFICATE}: not served yet, as the API server would not trust it: {why}"
            )
        return lambda: self._served.serve(pair)
