"""Issues a serving certificate and its CA into a folder, for `certs issue`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from certs.bundle import BundleError, read, write
from certs.inspect import CertificateError, check_ca
from certs.issue import CertificateAndKey, issue_ca, issue_leaf


class FolderError(Exception):
    """Nothing was written: the message names the file and says what to do.

    `unreadable` is False only where a file exists and may not be overwritten.
    """

    def __init__(self, message: str, *, unreadable: bool = False) -> None:
        super().__init__(message)
        self.unreadable = unreadable


@dataclass(frozen=True, slots=True)
class Signer:
    """A CA that was read from files. `trusted` are the certificates that clients trust (`ca.crt`), `intermediates`
    those to serve after the leaf; both are PEM."""

    pair: CertificateAndKey
    trusted: bytes
    intermediates: bytes = b""


def signer(certificate: Path, key: Path, now: datetime) -> Signer:
    """The CA in two PEM files. It must be valid at `now` (UTC). In a chain, the CA that signs comes first.

    Raises `FolderError`.
    """
    chain, key_pem = _read(certificate), _read(key)
    try:
        check_ca(chain, key_pem, now)
        certificates = read(chain)
    except CertificateError as error:
        where = f"--ca-cert {certificate}" if error.part == "certificate" else f"--ca-key {key}"
        raise FolderError(f"{where}: {error.message}", unreadable=True) from None
    except BundleError as error:
        raise FolderError(f"--ca-cert {certificate}: {error}", unreadable=True) from None
    intermediates = write(certificate for certificate in certificates if certificate.subject != certificate.issuer)
    return Signer(CertificateAndKey(chain, key_pem), write(certificates), intermediates)


def issue(
    names: Sequence[str],
    lifetime: timedelta,
    now: datetime,
    *,
    ca: Signer | None = None,
    ca_name: str = "linkerd-webhook CA",
    ca_lifetime: timedelta = timedelta(days=365),
) -> dict[str, bytes]:
    """A new serving certificate for DNS names and IP addresses, as file names with their content.

    The files are `ca.crt`, `tls.crt` and `tls.key`. Without `ca`, a new CA with the name `ca_name` is issued, and
    `ca.key` is among the files. `now` is in UTC. Raises `FolderError`.
    """
    files = {}
    if ca is None:
        pair = issue_ca(ca_name, lifetime=ca_lifetime, now=now)
        ca = Signer(pair, pair.certificate)
        files["ca.key"] = pair.key
    try:
        leaf = issue_leaf(ca.pair, names, lifetime=lifetime, now=now)
    except (TypeError, ValueError) as error:
        raise FolderError(f"cannot issue the certificate: {error}", unreadable=True) from None
    return {**files, "ca.crt": ca.trusted, "tls.crt": leaf.certificate + ca.intermediates, "tls.key": leaf.key}


def store(directory: Path, files: dict[str, bytes], *, force: bool) -> None:
    """Write the files into a folder. Keys can be read only by their owner.

    Each file is written under a temporary name and then renamed, so that no file is ever incomplete. Raises
    `FolderError` if a file exists and `force` is False, or the folder cannot be written; then no file has changed.
    """
    existing = [str(directory / name) for name in files if os.path.lexists(directory / name)]
    if existing and not force:
        raise FolderError(f"{', '.join(existing)}: exists already: pass --force to overwrite it, or another --out")
    folders = [str(directory / name) for name in files if (directory / name).is_dir()]
    if folders:
        raise FolderError(
            f"{', '.join(folders)}: is a directory, and a file of this name must be written: pass another --out",
            unreadable=True,
        )
    written: dict[Path, Path] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            written[_beside(directory, name, content)] = directory / name
        for temporary, place in list(written.items()):
            temporary.replace(place)
            del written[temporary]
    except OSError as error:
        raise FolderError(f"{directory}: cannot be written: {error.strerror or error}", unreadable=True) from None
    finally:
        for temporary in written:
            with contextlib.suppress(OSError):
                temporary.unlink()


def foreign_key(directory: Path, files: dict[str, bytes]) -> bool:
    """Whether the folder holds an old `ca.key` that does not belong to the new `ca.crt` among `files`."""
    path = directory / "ca.key"
    if "ca.key" in files or not path.exists():
        return False
    try:
        check_ca(
            files["ca.crt"], path.read_bytes(), x509.load_pem_x509_certificate(files["ca.crt"]).not_valid_before_utc
        )
    except (OSError, ValueError, CertificateError):
        return True
    return False


def _beside(directory: Path, name: str, content: bytes) -> Path:
    """The path of a new file with this content, under a temporary name, synced to the disk."""
    # mkstemp creates the file with mode 0600, so that other users can never read a key.
    handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if not name.endswith(".key"):
                os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - as mkstemp names it
        raise
    return Path(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror or error}", unreadable=True) from None
