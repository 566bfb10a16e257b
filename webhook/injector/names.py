"""What is called as in Linkerd: the containers, volumes, annotations and labels that an injection adds to a Pod."""

from __future__ import annotations

from typing import Final

# Containers.
PROXY: Final = "linkerd-proxy"
INIT: Final = "linkerd-init"
VALIDATOR: Final = "linkerd-network-validator"
NOOP: Final = "noop"
DEBUG: Final = "linkerd-debug"

# Volumes.
XTABLES_LOCK: Final = "linkerd-proxy-init-xtables-lock"
IDENTITY: Final = "linkerd-identity-end-entity"
TOKEN: Final = "linkerd-identity-token"  # noqa: S105 - a volume's name
POD_INFO: Final = "linkerd-podinfo"

# Annotations.
CREATED_BY: Final = "linkerd.io/created-by"
PROXY_VERSION: Final = "linkerd.io/proxy-version"
TRUST_ROOT: Final = "linkerd.io/trust-root-sha256"

# A label.
CONTROL_PLANE: Final = "linkerd.io/control-plane-ns"
