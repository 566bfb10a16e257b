"""What is used of the official Kubernetes client: how it reads its configuration, and its connections.

Its packages import all of the client when one part of it is imported: a synchronous twin, a cache, watches, every typed
API. That is 40 MiB of memory in a server that uses none of these. So the parts are imported while empty packages stand
in for the packages around them; afterwards, whoever imports the client gets all of it, as always.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = [
    "SERVICE_CERT_FILENAME",
    "SERVICE_HOST_ENV_NAME",
    "SERVICE_PORT_ENV_NAME",
    "SERVICE_TOKEN_FILENAME",
    "ConfigException",
    "Configuration",
    "InClusterConfigLoader",
    "RESTClientObject",
    "load_kube_config",
]

# The packages whose own imports are left out.
_PACKAGES = ("kubernetes", "kubernetes.aio", "kubernetes.aio.client", "kubernetes.aio.utils")


@contextmanager
def _alone() -> Iterator[None]:
    """Import modules of the client without what their packages import. Nothing of that stays in `sys.modules`."""
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "kubernetes"}
    try:
        _stand_in()
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes"]:
            del sys.modules[name]
        sys.modules.update(others)


def _stand_in() -> None:
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the kubernetes client is not installed: install it, as pyproject.toml names it")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name in _PACKAGES:
        package = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    client = sys.modules["kubernetes.aio.client"]
    # What the modules take from the package rather than from its modules. Nobody here calls what makes an ApiClient.
    client.Configuration = importlib.import_module("kubernetes.aio.client.configuration").Configuration  # type: ignore[attr-defined]
    client.ApiClient = None  # type: ignore[attr-defined]


if TYPE_CHECKING:
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.client.rest import RESTClientObject
    from kubernetes.aio.config import ConfigException, load_kube_config
    from kubernetes.aio.config.incluster_config import (
        SERVICE_CERT_FILENAME,
        SERVICE_HOST_ENV_NAME,
        SERVICE_PORT_ENV_NAME,
        SERVICE_TOKEN_FILENAME,
        InClusterConfigLoader,
    )
else:
    with _alone():
        from kubernetes.aio.client.configuration import Configuration
        from kubernetes.aio.client.rest import RESTClientObject
        from kubernetes.aio.config import ConfigException, load_kube_config
        from kubernetes.aio.config.incluster_config import (
            SERVICE_CERT_FILENAME,
            SERVICE_HOST_ENV_NAME,
            SERVICE_PORT_ENV_NAME,
            SERVICE_TOKEN_FILENAME,
            InClusterConfigLoader,
        )
