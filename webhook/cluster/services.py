"""Reads the ports of a Service, which routes and annotations refer to."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from webhook.cluster.interface import CatalogPort

# The number of distinct port lists that Services share in memory: most Services have one of a few.
_SHARED: Final = 4096


def ports_of(spec: Any) -> tuple[CatalogPort, ...] | None:
    """The ports in a Service's spec; None for an ExternalName, and if they are malformed."""
    ports = spec.get("ports") if isinstance(spec, dict) else None
    if not isinstance(ports, list) or not ports or spec.get("type") == "ExternalName":
        return None
    known = []
    for port_entry in ports:
        port = port_entry.get("port") if isinstance(port_entry, dict) else None
        if type(port) is not int:
            return None
        name, target = port_entry.get("name"), port_entry.get("targetPort")
        # A missing targetPort means the same number. Older API servers wrote 0 for a missing one.
        target = target if target and type(target) in (int, str) else port
        known.append(CatalogPort(port, name if type(name) is str else "", target))
    return _shared(tuple(known))


@lru_cache(_SHARED)
def _shared(ports: tuple[CatalogPort, ...]) -> tuple[CatalogPort, ...]:
    """The same ports, as one object for all Services that have them."""
    return ports
