"""Resources of an injected container, the way the control plane writes them."""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from webhook.injector.fragments import OfFields
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


def _render(limits: tuple[str, str, str], requests: tuple[str, str, str]) -> JSON | None:
    """Each of CPU, memory and ephemeral storage. What is empty is left out; nothing at all is null, as the control
    plane writes it."""
    out: JSON = {}
    if any(limits):
        out["limits"] = _amounts(*limits)
    if any(requests):
        out["requests"] = _amounts(*requests)
    return out or None


def _amounts(cpu: str, memory: str, storage: str) -> JSON:
    amounts = {"cpu": cpu, "memory": memory, "ephemeral-storage": storage}
    return {kind: amount for kind, amount in amounts.items() if amount}


def _member(*amounts: str) -> bytes:
    return b',"resources":' + orjson.dumps(_render(amounts[:3], amounts[3:]))  # type: ignore[arg-type]


# The member of a container that has the proxy's resources, the values with annotations over them: the proxy's own, and
# that of what shares its image.
OF_PROXY: Final = OfFields([*(pair.limit for pair in PAIRS), *(pair.request for pair in PAIRS)], _member)
