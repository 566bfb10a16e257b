"""Resources of an injected container, the way the control plane writes them."""

from __future__ import annotations

from webhook.mesh.values import Resources
from webhook.review import JSON


def from_values(resources: Resources) -> JSON | None:
    """Limits and requests of the values."""
    cpu, memory, storage = resources.cpu, resources.memory, resources.ephemeral_storage
    return render(
        (cpu.limit, memory.limit, storage.limit),
        (cpu.request, memory.request, storage.request),
    )


def render(limits: tuple[str, str, str], requests: tuple[str, str, str]) -> JSON | None:
    """Limits and requests, each of CPU, memory and ephemeral storage; what is empty is left out, and nothing at all is null, as the control plane writes it."""
    out: JSON = {}
    for name, amounts in (("limits", limits), ("requests", requests)):
        if any(amounts):
            kinds = zip(("cpu", "memory", "ephemeral-storage"), amounts, strict=True)
            out[name] = {kind: amount for kind, amount in kinds if amount}
    return out or None
