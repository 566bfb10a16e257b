"""What is kept of a Service: its ports, by which routes and annotations name them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from webhook.cluster.interface import ServicePort

# So many different lists of ports are kept once for all Services that have them: most have one of a few.
_SHARED: Final = 4096


def ports_of(spec: Any) -> tuple[ServicePort, ...] | None:
    """The ports in a Service's spec; None for an ExternalName, and where they make no sense."""
    ports = spec.get("ports") if isinstance(spec, dict) else None
    if not isinstance(ports, list) or not ports or spec.get("type") == "ExternalName":
        return None
    known = []
    for port_entry in ports:
        port = port_entry.get("port") if isinstance(port_entry, dict) else None
        if type(port) is not int:
            return None
        name, target = port_entry.get("name"), port_entry.get("targetPort")
        # No target is the same number. 0 is what an older API server wrote for none.
        target = target if target and type(target) in (int, str) else port
        known.append(ServicePort(port, name if type(name) is str else "", target))
    return _shared(tuple(known))


@lru_cache(_SHARED)
def _shared(ports: tuple[ServicePort, ...]) -> tuple[ServicePort, ...]:
    """The same ports, one object for all who have them."""
    return ports
