"""Resources of an injected container, the way the control plane writes them."""

from __future__ import annotations

from typing import Final, NamedTuple

from webhook.injector.effective import Settings
from webhook.injector.settings import PREFIX
from webhook.mesh.values import Resources
from webhook.review import JSON


class Pair(NamedTuple):
    """A request and its limit: what they are of, the fields of `Settings` and the annotations that set these."""

    what: str
    request: str
    limit: str
    for_request: str
    for_limit: str


PAIRS: Final = tuple(
    Pair(what, f"{field}_request", f"{field}_limit", f"{PREFIX}proxy-{key}-request", f"{PREFIX}proxy-{key}-limit")
    for what, field, key in (
        ("CPU", "cpu", "cpu"),
        ("memory", "memory", "memory"),
        ("ephemeral storage", "ephemeral_storage", "ephemeral-storage"),
    )
)
# Each annotation of a request or limit, and the other one.
PARTNERS: Final = {
    one: other
    for pair in PAIRS
    for one, other in ((pair.for_request, pair.for_limit), (pair.for_limit, pair.for_request))
}


def from_values(resources: Resources) -> JSON | None:
    """Limits and requests of the values."""
    cpu, memory, storage = resources.cpu, resources.memory, resources.ephemeral_storage
    return _render(
        (cpu.limit, memory.limit, storage.limit),
        (cpu.request, memory.request, storage.request),
    )


def from_settings(settings: Settings) -> JSON | None:
    """The proxy's, and what shares its image: the values with annotations over them."""
    s = settings
    return _render(
        (s.cpu_limit, s.memory_limit, s.ephemeral_storage_limit),
        (s.cpu_request, s.memory_request, s.ephemeral_storage_request),
    )


def _render(limits: tuple[str, str, str], requests: tuple[str, str, str]) -> JSON | None:
    """Each of CPU, memory and ephemeral storage. What is empty is left out; nothing at all is null, as the control
    plane writes it."""
    out: JSON = {}
    for name, amounts in (("limits", limits), ("requests", requests)):
        if any(amounts):
            kinds = zip(("cpu", "memory", "ephemeral-storage"), amounts, strict=True)
            out[name] = {kind: amount for kind, amount in kinds if amount}
    return out or None
