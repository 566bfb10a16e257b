"""The mesh's configuration in force: built from the values and the trust anchors, rebuilt when either changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from certs.bundle import salvage
from webhook.injector.inject import Injector
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.releases import LINES, Line, choose, line
from webhook.server.reload import Contents, FilesRefused, Group
from webhook.webhooks.registry import Current

log = structlog.get_logger(__name__)

VALUES = "values"
TRUST_ANCHORS = "trust-anchors"


class Configuration:
    """What the injector goes by. `injector` is for the webhooks; it is there once the group was loaded."""

    injector: Current[Injector]
    mesh: Mesh

    def __init__(self, values: Path, trust_anchors: Path, linkerd_namespace: str, release_line: str | None) -> None:
        """`release_line` overrules what the values say of themselves."""
        self._linkerd_namespace = linkerd_namespace
        self._release_line = release_line
        self.group = Group("configuration", {VALUES: values, TRUST_ANCHORS: trust_anchors}, self._prepare)

    @property
    def line(self) -> Line:
        """The release line that the webhooks go by."""
        return self.mesh.line

    def _prepare(self, contents: Contents) -> Callable[[], None]:
        """Build everything that depends on the files alone; it takes a while, and runs beside the event loop."""
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
        _check_trust_anchors(self.group.files[TRUST_ANCHORS], contents[TRUST_ANCHORS])
        injector = Injector(mesh)
        if injector.refusal is not None:
            # The reference would go on and refuse every Pod, one by one.
            raise FilesRefused(f"{self.group.files[VALUES]}: {injector.refusal.message}")
        return lambda: self._take(mesh, injector)

    def _take(self, mesh: Mesh, injector: Injector) -> None:
        self.mesh = mesh
        if hasattr(self, "injector"):
            self.injector.value = injector
        else:
            self.injector = Current(injector)
        for warning in mesh.warnings:
            log.warning("values", problem=warning)


def only_line(release_line: str | None) -> Line:
    """The release line of a validator that nobody gives the mesh's values, as in Linkerd's own Deployments.

    Raises `ValueError` for a name that is not a version.
    """
    if release_line is not None:
        chosen = choose(release_line)
        if chosen.warning:
            log.warning("release line", problem=chosen.warning)
        return chosen.line
    newest = line(LINES[-1])
    log.info(
        "there are no values to tell the release line: --release-line, or --values, says which it is", line=newest.name
    )
    return newest


def _check_trust_anchors(path: Path, content: bytes) -> None:
    """No proxy gets an identity without at least one certificate that still holds. Raises `FilesRefused`."""
    anchors, why = salvage(content)
    if not anchors:
        raise FilesRefused(
            f"{path}: no trust anchor: the file {why or 'is empty'}: write at least one certificate in PEM"
        )
    if why:
        log.warning("trust anchors", problem=f"{path}: {why}; it is passed over, and the other anchors count")
    now = datetime.now(UTC)
    if all(anchor.not_valid_after_utc <= now for anchor in anchors):
        expired = max(anchor.not_valid_after_utc for anchor in anchors)
        raise FilesRefused(
            f"{path}: every trust anchor has expired, the last one on {expired:%Y-%m-%d}: renew it first"
        )
