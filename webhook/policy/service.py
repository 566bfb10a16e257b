"""The annotations of Services and EgressNetworks that Linkerd reads. It only logs the mistakes in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from webhook.cluster.interface import CatalogPort
from webhook.cluster.services import ports_of
from webhook.findings.finding import Finding, Severity, declare
from webhook.policy import circuitbreaking, routeannotations
from webhook.policy.schema.shape import either

OPAQUE_PORT = declare(
    "service-opaque-port",
    Severity.WARNING,
    "FieldValueNotFound",
    "A Service's config.linkerd.io/opaque-ports names a port that the Service does not have, such as a targetPort.",
)

_OPAQUE_PORTS: Final = "config.linkerd.io/opaque-ports"
# The ports that are opaque by default. Users who add a port to them list them all, so these are not reported.
_USUAL: Final = frozenset({25, 443, 587, 3306, 4444, 5432, 6379, 9300, 11211})
_LISTED: Final = 8
# How many entries of the annotation are checked.
_MOST: Final = 256


def check(body: Any) -> list[Finding]:
    """The findings about the annotations of a Service. `body` is any JSON value; it never raises an exception."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict) or not annotations:
        return []
    return [*check_annotations(annotations), *_check_opaque_ports(annotations, body.get("spec"))]


def check_annotations(annotations: Mapping[str, Any]) -> list[Finding]:
    """The findings about retries, timeouts and circuit breaking of a Service or an EgressNetwork."""
    return [*routeannotations.check_service(annotations), *circuitbreaking.check(annotations)]


def _check_opaque_ports(annotations: Mapping[str, Any], spec: Any) -> Iterator[Finding]:
    text, ports = annotations.get(_OPAQUE_PORTS), ports_of(spec)
    if not isinstance(text, str) or ports is None:
        return
    entries = [entry for entry in (part.strip() for part in text.split(",")[:_MOST]) if entry]
    ranges = [_port_range(entry, ports) for entry in entries]
    if not ranges or None in ranges:
        # The checks of the injector report an entry that cannot be read.
        return
    known = [(entry, low, high) for entry, (low, high) in zip(entries, filter(None, ranges), strict=True)]
    hits = {
        service_port.port for service_port in ports if any(low <= service_port.port <= high for _, low, high in known)
    }
    lost = [row for row in known if not any(row[1] <= service_port.port <= row[2] for service_port in ports)]
    strange = []
    for entry, low, high in lost:
        behind = [
            service_port.port
            for service_port in ports
            if type(service_port.target) is int and low <= service_port.target <= high
        ]
        if behind and not hits.intersection(behind):
            text = (
                f"{_OPAQUE_PORTS} names {entry}, the targetPort of the Service's port {behind[0]}, and clients use the "
                f"Service's port: write {behind[0]}"
            )
            yield OPAQUE_PORT.at(("metadata", "annotations", _OPAQUE_PORTS), text)
            return
        if not behind and (not hits or low != high or low not in _USUAL):
            strange.append(entry)
    if strange:
        listed = either([str(service_port.port) for service_port in ports[:_LISTED]])
        text = f"{_OPAQUE_PORTS} names {', '.join(strange[:_LISTED])}, which the Service does not have: write {listed}"
        yield OPAQUE_PORT.at(("metadata", "annotations", _OPAQUE_PORTS), text)


def _port_range(entry: str, ports: Sequence[CatalogPort]) -> tuple[int, int] | None:
    """The first and last port of an entry, which is a number, a range or a Service port's name; None for any other."""
    for service_port in ports:
        if service_port.name == entry:
            return service_port.port, service_port.port
    low, dash, high = (part.strip() for part in entry.partition("-"))
    high = high if dash else low
    if not (low.isascii() and low.isdecimal() and high.isascii() and high.isdecimal() and len(low + high) <= 10):
        return None
    return (int(low), int(high)) if int(low) <= int(high) else None
