"""What every injected Pod is marked with."""

from __future__ import annotations

from typing import Final

from webhook import __version__
from webhook.injector.effective import Settings
from webhook.injector.names import CONTROL_PLANE, CREATED_BY, PROXY_VERSION, TRUST_ROOT
from webhook.mesh.config import Mesh

PROGRAM: Final = f"linkerd-webhook/proxy-injector {__version__}"


class Marks:
    """The annotations and labels that each injected Pod of a mesh gets, whichever it is."""

    def __init__(self, mesh: Mesh) -> None:
        has = mesh.line.has
        self._default_version = mesh.values.linkerd_version if has("rule/proxy-version-falls-back") else ""
        self._trust_root = {TRUST_ROOT: mesh.trust_anchors_sha256} if has("rule/trust-root-annotation") else {}
        self.labels = {CONTROL_PLANE: mesh.linkerd_namespace}

    def annotations(self, settings: Settings) -> dict[str, str]:
        """The annotations, of which one has the proxy's version."""
        return {
            CREATED_BY: PROGRAM,
            PROXY_VERSION: settings.proxy_version or self._default_version,
            **self._trust_root,
        }
