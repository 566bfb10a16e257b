"""HTTPLocalRateLimitPolicy (policy.linkerd.io): how many requests a Server accepts, in total and from one client."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Severity, declare, show
from webhook.mesh.releases import Line
from webhook.policy.objectreferences import (
    LOCAL_REFERENCE,
    NAMESPACE_NAME,
    SERVER,
    SERVICE_ACCOUNT,
    canonical,
    reference,
    targets,
)
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Integer, Shape, Struct, optional, required

TARGET = declare(
    "ratelimit-target",
    Severity.ERROR,
    "FieldValueNotSupported",
    "An HTTPLocalRateLimitPolicy targets something other than a Server.",
)
ZERO = declare("ratelimit-zero", Severity.ERROR, "FieldValueInvalid", "A rate limit allows no requests at all.")
ABOVE_TOTAL = declare(
    "ratelimit-above-total",
    Severity.ERROR,
    "FieldValueInvalid",
    "A client's limit is higher than the total limit, which is reached before.",
)
CLIENT = declare(
    "ratelimit-client",
    Severity.ERROR,
    "FieldValueNotSupported",
    "An override is for something other than a ServiceAccount.",
)
LIMITS_NOTHING = declare(
    "ratelimit-limits-nothing", Severity.WARNING, "FieldValueRequired", "An HTTPLocalRateLimitPolicy sets no limit."
)
OVERRIDE_ABOVE_IDENTITY = declare(
    "ratelimit-override-same",
    Severity.WARNING,
    "FieldValueInvalid",
    "An override changes nothing: it sets the limit that every client has anyway, or names no client.",
)

_U32: Final = Integer(0, 2**32 - 1)
_PER_SECOND: Final = "requestsPerSecond"


def _check(node: Node, reading: Reading) -> None:
    target = node.get("targetRef")
    if target is not None and not target.bad and not targets(target, SERVER, reading.line):
        reading.note(
            TARGET,
            (*target.path, "kind"),
            f"an HTTPLocalRateLimitPolicy cannot target {show(canonical(target))}: write kind: Server and "
            "group: policy.linkerd.io",
        )
    limits = [node.get("total"), node.get("identity"), *node.nodes("overrides")]
    total = _rate(node.get("total"))
    for limit in limits:
        rate = _rate(limit)
        if limit is None or rate is None:
            continue
        at = (*limit.path, _PER_SECOND)
        if rate == 0:
            reading.note(
                ZERO,
                at,
                "a limit of 0 would allow no requests: write at least 1; to refuse all, write an accessPolicy "
                "into the Server",
            )
        elif total and rate > total:
            reading.note(
                ABOVE_TOTAL,
                at,
                f"the limit of {rate} is above the total limit of {total}: lower it, or raise the total",
            )
    for override in node.nodes("overrides"):
        _check_override(override, _rate(node.get("identity")), reading)
    if not any(limits) and not node.bad:
        reading.note(
            LIMITS_NOTHING, node.path, "the HTTPLocalRateLimitPolicy sets no limit: add total, identity or overrides"
        )


def _rate(limit: Node | None) -> int | None:
    return None if limit is None else limit.get(_PER_SECOND)


def _check_override(override: Node, identity: int | None, reading: Reading) -> None:
    for client in override.nodes("clientRefs"):
        if not client.bad and not targets(client, SERVICE_ACCOUNT, reading.line):
            reading.note(
                CLIENT,
                (*client.path, "kind"),
                f"an override cannot be for {show(canonical(client))}: write kind: ServiceAccount, without a group",
            )
    if override.bad:
        return
    if not override.nodes("clientRefs"):
        if not reading.broken:
            reading.note(
                OVERRIDE_ABOVE_IDENTITY,
                (*override.path, "clientRefs"),
                "the override names no client, so that it changes nothing: add one",
            )
    elif identity is not None and override[_PER_SECOND] == identity:
        reading.note(
            OVERRIDE_ABOVE_IDENTITY,
            (*override.path, _PER_SECOND),
            f"every client has the limit of {identity} already, by spec.identity: leave the override out",
        )


_LIMIT = Struct({_PER_SECOND: required(_U32)})
_OVERRIDE = Struct({_PER_SECOND: required(_U32), "clientRefs": required(Array(Struct(reference(NAMESPACE_NAME))))})
_SPEC: Final = Struct(
    {
        "targetRef": required(LOCAL_REFERENCE),
        "total": optional(_LIMIT),
        "identity": optional(_LIMIT),
        "overrides": optional(Array(_OVERRIDE)),
    },
    check=_check,
)


def spec(line: Line, version: str) -> Shape:
    """The shape of an HTTPLocalRateLimitPolicy's spec: the same at every release line."""
    return _SPEC
