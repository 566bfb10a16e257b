"""A pair into a TLS context, from memory: Python's ssl reads only files, and a key should reach no disk."""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import BinaryIO

from certs import inspect
from certs.bundle import write
from certs.inspect import CertificateError


def load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Have a context serve exactly this pair, both PEM. Raises `CertificateError` where OpenSSL refuses it.

    OpenSSL stumbles over what others pass over, so it gets the certificates and the key alone.
    """
    certificates = write(inspect.chain(chain))
    with _memory(certificates) as chain_file, _memory(inspect.key_text(key)) as key_file:
        try:
            context.load_cert_chain(f"/dev/fd/{chain_file.fileno()}", f"/dev/fd/{key_file.fileno()}")
        except ssl.SSLError as error:
            raise CertificateError("certificate", f"OpenSSL refuses the pair: {error.reason or error}") from None


def _memory(data: bytes) -> BinaryIO:
    """An unnamed file, in memory where the system has that: the root file system may be read-only."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("pem"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.flush()
    file.seek(0)
    return file
