"""The CAs in a `ca.crt` file, for certificates that cert-manager or an admin renews. They go into the caBundles."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509

from certs.bundle import read, salvage, write
from certs.rotation import CABundles


class CaFile:
    """A `CertificateSource` that reads CAs from a file and issues no certificates.

    Without the file it requires no CAs.
    """

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        """`read` returns the content of `ca.crt`, None if the file does not exist; it may raise `OSError`."""
        self._read = read
        self._required = b""
        self.problems: list[str] = []

    async def read(self) -> None:
        """Read the file again. If it holds no certificate that can be read, the previous CAs stay in force."""
        self.problems = []
        try:
            certificates, why = salvage(self._read() or b"")
        except OSError as error:
            certificates, why = (), str(error)
        if certificates or not why:
            self._required = write(certificates)
        if why:
            in_force = "the other CAs in it are used" if certificates else "the previous CAs stay in use"
            self.problems = [f"ca.crt {why}: {in_force}; write the CA certificates into it, in PEM"]

    def required_cas(self) -> bytes:
        """The CAs that every caBundle must hold, as PEM; b"" if there is no `ca.crt`."""
        return self._required

    def serving(self) -> x509.Certificate | None:
        """None, as this source does not know the served leaf."""
        return None

    def rotation_is_complete(self) -> bool:
        """True: this source plans no rotation. Whether old CAs are still needed, the served leaves decide."""
        return True

    async def step(self, bundles: CABundles) -> str:
        """Do nothing: this source writes no Secrets."""
        return ""

    def state(self) -> dict[str, str]:
        """A description of the CAs, for logs and the admin page."""
        subjects = [certificate.subject.rfc4514_string() for certificate in read(self._required)]
        return {"CA": ", ".join(subjects) or "no ca.crt: this server does not write the caBundles"}
