"""Watches the Secret of the certificate, and serves a new certificate as soon as it is stored."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Any

import structlog

from certs.inspect import CertificateError
from certs.secrets import CERTIFICATE, KEY
from certs.tls import ServedCertificate
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.watch import Resource, Watch

log = structlog.get_logger(__name__)


class ServedSecret:
    """Serves the certificate and key of a Secret, and reloads them when it changes. If they cannot be used, the
    previous ones are still served.

    `error` says why the stored pair is not served, "" if it is.
    """

    def __init__(
        self,
        api: ApiServer,
        namespace: str,
        name: str,
        certificate: ServedCertificate,
        loaded: Callable[[bool], None] = lambda _: None,
        wait: Callable[[bytes, bytes], str] = lambda *_: "",
    ) -> None:
        """`loaded` is called for each new pair with True if it is served, else False. `wait` returns why a valid pair
        must not be served yet, "" if it may be."""
        self.name = f"{namespace}/{name}"
        self.error = "not stored yet"
        self._certificate = certificate
        self._loaded = loaded
        self._wait = wait
        self._waiting: tuple[bytes, bytes] | None = None
        self._pair: tuple[bytes, bytes] | None = None
        resource = Resource(
            f"/api/v1/namespaces/{namespace}/secrets",
            f"Secret {self.name}",
            f'secrets "{name}" in namespace {namespace}',
            PLAIN,
            PLAIN,
            field_selector=f"metadata.name={name}",
        )
        self._watch = Watch(api, resource, lambda: self)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to watch."""
        self._task = asyncio.create_task(self._watch.run(), name=f"watch of Secret {self.name}")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def problem(self) -> str:
        """What is wrong with the Secret or with the watch, for users; "" if nothing is."""
        error = f"Secret {self.name}: {self.error}" if self.error else ""
        return self._watch.problem or error

    def put(self, body: Any) -> None:
        """The watch's call: serve the pair in the Secret, or log why it cannot be served."""
        data = body.get("data") if isinstance(body, dict) else None
        data = data if isinstance(data, dict) else {}
        try:
            pair = _bytes(data, CERTIFICATE), _bytes(data, KEY)
        except ValueError as error:
            self._refuse(str(error))
            return
        if pair != self._pair or self.error:
            self._serve(pair)

    def retry(self) -> None:
        """Check once more whether a pair that had to wait may be served."""
        if self._waiting is not None:
            self._serve(self._waiting)

    def _serve(self, pair: tuple[bytes, bytes]) -> None:
        self._waiting = None
        try:
            checked = self._certificate.check(*pair)
            why = self._wait(*pair)
            if why:
                self._waiting = pair
                self._postpone(f"not served yet: {why}")
                return
            self._certificate.serve(checked)
        except CertificateError as error:
            self._refuse(f"data[{CERTIFICATE if error.part == 'certificate' else KEY}]: {error.message}")
            return
        self._pair, self.error = pair, ""
        leaf = self._certificate.leaf
        expiry = f"{leaf.not_after:%Y-%m-%dT%H:%M:%SZ}" if leaf else ""
        log.info("the certificate of the Secret is served", secret=self.name, certificate_expiry=expiry)
        self._loaded(True)

    def remove(self, body: Any) -> None:
        """The watch's call: the Secret was deleted. Its pair is still served until the leader stores a new one."""
        self._waiting = None
        self.error = "deleted; its certificate is still served"
        log.warning("the Secret of the served certificate was deleted", secret=self.name)

    def _postpone(self, error: str) -> None:
        if error != self.error:
            log.info("the Secret's new certificate is not served yet", secret=self.name, why=error)
        self.error = error

    def _refuse(self, error: str) -> None:
        if error != self.error:
            self._loaded(False)
            log.error(
                "the Secret's certificate is refused, the previous one is still served", secret=self.name, error=error
            )
        self.error = error


def _bytes(data: dict[str, Any], key: str) -> bytes:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"data[{key}] is missing: write PEM in base64")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"data[{key}] is not base64: {error}") from None
