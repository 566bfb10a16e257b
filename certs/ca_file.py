"""The CAs of certificates that cert-manager or an admin keeps: those in `ca.crt` go into the caBundles."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509

from certs.bundle import read, salvage, write
from certs.decision import CABundles


class CaFile:
    """A source of CAs that issues nothing. Without a `ca.crt`, the caBundles are left to whoever writes them."""

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        """`read`: the bytes of `ca.crt`, None where it is not there."""
        self._read = read
        self._wanted = b""
        self.problems: list[str] = []

    async def look(self) -> None:
        """Read the file again. Where it holds no certificate that can be read, the CAs from before stay."""
        self.problems = []
        try:
            certificates, why = salvage(self._read() or b"")
        except OSError as error:
            certificates, why = (), str(error)
        if certificates or not why:
            self._wanted = write(certificates)
        if why:
            counts = "the other CAs in it count" if certificates else "the CAs before it count on"
            self.problems = [f"ca.crt {why}: {counts}; put the CA certificates there, in PEM"]

    def wanted(self) -> bytes:
        """The CAs that every caBundle has to hold, in PEM."""
        return self._wanted

    def serving(self) -> x509.Certificate | None:
        """What is served is not known here."""
        return None

    def resting(self) -> bool:
        """Whether nothing else need be trusted: what is served tells, so yes."""
        return True

    async def step(self, bundles: CABundles) -> str:
        """There is nothing to do."""
        return ""

    def state(self) -> dict[str, str]:
        """The state, for logs."""
        subjects = [certificate.subject.rfc4514_string() for certificate in read(self._wanted)]
        return {"CA": ", ".join(subjects) or "no ca.crt: caBundles are left alone"}
