"""What is used of the official Kubernetes client: how it reads its configuration, and its connections.

Its packages import all of the client when one part of it is imported: a synchronous twin, a cache, watches, every typed
API. That is 30 MiB of memory in a server that uses none of these. So the parts are imported while empty packages stand
in for the packages around them; afterwards, whoever imports the client gets all of it, as always. If a version of the
client does not allow that, all of it is imported.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

_PARTS = "webhook.kube.client_parts"
# The packages whose own imports are left out.
_PACKAGES = ("kubernetes", "kubernetes.aio", "kubernetes.aio.client", "kubernetes.aio.utils")


def _import_alone() -> bool:
    """Import the parts without the rest of the client. Returns whether that was possible."""
    try:
        with _alone():
            importlib.import_module(_PARTS)
    except (ImportError, AttributeError):
        return False
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """Import modules of the client without what their packages import. Nothing of that stays in `sys.modules`."""
    others = {name: sys.modules.pop(name) for name in _imported()}
    try:
        _stand_in()
        yield
    finally:
        for name in _imported():
            del sys.modules[name]
        sys.modules.update(others)


def _imported() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "kubernetes"]


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


# Whether the parts came without the rest. If they did not, the next statement imports all of the client.
ALONE: Final = _import_alone()

from webhook.kube.client_parts import *  # noqa: E402, F403
