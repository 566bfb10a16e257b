"""Certificates that somebody else keeps, cert-manager or an admin: only the CAs in their `ca.crt` are passed on."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509

from certs.bundle import read, salvage, write
from certs.decision import CABundles


class FileTrust:
    """A source that writes nothing. Where there is no `ca.crt`, the caBundles are somebody else's to write."""

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        """`read`: the bytes of `ca.crt`, None where it is not there."""
        self._read = read
        self._wanted = b""
        self.problems: list[str] = []

    async def look(self) -> None:
        """Read the file again. What holds no certificate that can be read leaves the one before."""
        self.problems = []
        try:
            found, why = salvage(self._read() or b"")
        except OSError as error:
            found, why = (), str(error)
        if found or not why:
            self._wanted = write(found)
        if why:
            counts = "the other CAs in it count" if found else "the CAs before it count on"
            self.problems = [f"ca.crt {why}: {counts}; put the CA certificates there, in PEM"]

    def wanted(self) -> bytes:
        """The CAs that every caBundle has to hold, as PEM."""
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
        """How things stand, for people."""
        subjects = [each.subject.rfc4514_string() for each in read(self._wanted)]
        return {"CA": ", ".join(subjects) or "no ca.crt: caBundles are left alone"}
