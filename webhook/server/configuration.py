"""The mesh's configuration, built from the values and the trust anchors, and rebuilt when a file changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography.hazmat.primitives import hashes

from certs.bundle import salvage
from webhook.injector.inject import Injector
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.releases import LINES, Detected, choose, line
from webhook.server.reload import Contents, FilesRefused, Group
from webhook.webhooks.interface import Current

log = structlog.get_logger(__name__)

VALUES = "values"
TRUST_ANCHORS = "trust-anchors"


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A trust anchor: its subject, the SHA-256 of its DER form in hexadecimal, its end in seconds since 1970."""

    subject: str
    sha256: str
    not_after: float


class Configuration:
    """The configuration that takes effect. `injector` and `mesh` exist once `group` was loaded."""

    injector: Current[Injector]
    mesh: Mesh

    def __init__(self, values: Path, trust_anchors: Path, linkerd_namespace: str, release_line: str | None) -> None:
        """`release_line` takes precedence over the version in the values."""
        self._linkerd_namespace = linkerd_namespace
        self._release_line = release_line
        self.anchors: tuple[TrustAnchor, ...] = ()
        self.group = Group("configuration", {VALUES: values, TRUST_ANCHORS: trust_anchors}, self._prepare)

    @property
    def line(self) -> Detected:
        """The release line of the configuration, and why it is that one."""
        mesh = self.mesh
        # Where the version is not known, the first warning says so.
        return Detected(mesh.line, mesh.why, mesh.warnings[0] if mesh.unknown_version else "")

    def _prepare(self, contents: Contents) -> Callable[[], None]:
        """Build everything that depends on the files alone. Runs in a thread, as it takes a while."""
        try:
            mesh = Mesh.load(
                contents[VALUES],
                contents[TRUST_ANCHORS],
                linkerd_namespace=self._linkerd_namespace,
                release_line=self._release_line,
            )
        except ConfigError as error:
            raise FilesRefused(
                "\n".join(f"{self.group.files[VALUES]}: {problem}" for problem in error.problems)
            ) from error
        except ValueError as error:
            raise FilesRefused(f"--release-line: {error}") from error
        anchors = _checked_trust_anchors(self.group.files[TRUST_ANCHORS], contents[TRUST_ANCHORS])
        injector = Injector(mesh)
        if injector.refusal is not None:
            # Linkerd's own injector would start and then refuse every Pod.
            raise FilesRefused(f"{self.group.files[VALUES]}: {injector.refusal.message}")
        return lambda: self._apply(mesh, injector, anchors)

    def _apply(self, mesh: Mesh, injector: Injector, anchors: tuple[TrustAnchor, ...]) -> None:
        before = self.mesh.line if hasattr(self, "mesh") else None
        self.mesh, self.anchors = mesh, anchors
        if hasattr(self, "injector"):
            self.injector.value = injector
        else:
            self.injector = Current(injector)
        if before is None:
            log.info("release line", line=mesh.line.name, why=mesh.why)
        elif before != mesh.line:
            log.info("the release line has changed", before=before.name, line=mesh.line.name, why=mesh.why)
        for warning in mesh.warnings:
            log.warning("values", problem=warning)


def only_line(release_line: str | None) -> Detected:
    """The release line for a server of validators without values, which Linkerd's own Deployments do not mount for it.

    Raises `ValueError` if `release_line` is not a version.
    """
    if release_line is not None:
        chosen = choose(release_line)
        if chosen.warning:
            log.warning("release line", problem=chosen.warning)
        log.info("release line", line=chosen.line.name, why=chosen.why)
        return chosen
    newest = Detected(line(LINES[-1]), "no values are mounted and there is no --release-line, so it is the newest")
    log.info(
        "no values are mounted, so the newest release line is used: pass --release-line or --values to choose another",
        line=newest.line.name,
    )
    return newest


def _checked_trust_anchors(path: Path, content: bytes) -> tuple[TrustAnchor, ...]:
    """The trust anchors, at least one of which has not expired: no proxy gets an identity otherwise.

    Raises `FilesRefused`.
    """
    anchors, why = salvage(content)
    if not anchors:
        raise FilesRefused(
            f"{path}: holds no trust anchor: the file {why or 'is empty'}: write at least one certificate in PEM"
        )
    if why:
        log.warning("trust anchors", problem=f"{path}: {why}; it is ignored, and the other trust anchors take effect")
    now = datetime.now(UTC)
    if all(anchor.not_valid_after_utc <= now for anchor in anchors):
        expired = max(anchor.not_valid_after_utc for anchor in anchors)
        raise FilesRefused(
            f"{path}: every trust anchor has expired, the last one on {expired:%Y-%m-%d}: renew it first"
        )
    return tuple(
        TrustAnchor(
            anchor.subject.rfc4514_string(),
            anchor.fingerprint(hashes.SHA256()).hex(),
            anchor.not_valid_after_utc.timestamp(),
        )
        for anchor in dict.fromkeys(anchors)
    )
