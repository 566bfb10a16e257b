"""The mesh's configuration in force: built from the values and the trust anchors, rebuilt when either changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from webhook.injector.inject import Injector
from webhook.mesh.config import ConfigError, Mesh
from webhook.server.reload import Contents, Group, Refused
from webhook.server.webhooks import Current

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
            raise Refused(f"{self.group.files[VALUES]}: {error}") from error
        except ValueError as error:
            raise Refused(f"--release-line: {error}") from error
        injector = Injector(mesh)
        return lambda: self._take(mesh, injector)

    def _take(self, mesh: Mesh, injector: Injector) -> None:
        self.mesh = mesh
        if hasattr(self, "injector"):
            self.injector.value = injector
        else:
            self.injector = Current(injector)
        for warning in mesh.warnings:
            log.warning("values", problem=warning)
        if injector.refusal is not None:
            log.error("every injection will be refused", problem=injector.refusal.message)
