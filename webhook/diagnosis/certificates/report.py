"""A state as text for people and as JSON for programs. Keys are in neither: they are in no state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from certs.inspect import Leaf
from webhook.diagnosis.certificates.facts import Kept, State, Summary, serial
from webhook.diagnosis.certificates.fit import Finding, findings, remarks

JSON = dict[str, Any]


def text(state: State) -> str:
    """Everything, aligned, with what does not fit at the end."""
    return "\n".join([*_head(state), *_kept(state), *_replicas(state), *_bundles(state), "", *_verdict(state)])


def as_json(state: State) -> JSON:
    """Everything; times are RFC 3339 in UTC, `fits` is null where something could not be looked at."""
    found = findings(state)
    return {
        "service": f"{state.service.namespace}/{state.service.name}",
        "dnsName": state.service.dns_name,
        "time": stamp(state.at),
        "fits": False if found else (None if state.unseen or state.unreachable else True),
        "selfManaged": state.self_managed,
        "rotationAsked": state.asked or None,
        "certificates": [
            {
                "object": each.where,
                "role": each.role,
                "field": each.field,
                "problem": each.why_not or None,
                "certificate": _summary(each.certificate) if each.certificate else None,
            }
            for each in state.kept
        ],
        "replicasAskedBy": state.way or None,
        "replicas": [
            {
                "address": each.address,
                "pod": each.pod or None,
                "unreachable": each.unreachable or None,
                "certificate": _leaf(each.leaf) if each.leaf else None,
            }
            for each in state.replicas
        ],
        "caBundles": [
            {
                "object": each.where,
                "field": each.field,
                "webhook": each.webhook,
                "certificates": [_summary(anchor) for anchor in each.anchors],
                "junk": list(each.junk),
                "writtenBy": each.cert_manager or None,
            }
            for each in state.bundles
        ],
        "findings": [finding(each) for each in found],
        "remarks": remarks(state),
        "unseen": list(state.unseen),
    }


def finding(each: Finding) -> JSON:
    """A finding, as JSON has it."""
    return {
        "object": each.object,
        "field": each.field,
        "value": each.value,
        "message": each.message,
        "fix": each.fix,
    }


def stamp(moment: datetime) -> str:
    """A time in UTC, RFC 3339."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _head(state: State) -> Iterator[str]:
    service = state.service
    yield f"Service {service.namespace}/{service.name} ({service.dns_name}), {stamp(state.at)}"
    if state.asked:
        yield f"a rotation is asked for: {state.asked}"


def _kept(state: State) -> Iterator[str]:
    if not state.kept:
        return
    yield ""
    yield "Certificates"
    due = "renew by" if state.files else "renewal due"
    rows = [(each.where, each.role, *_of(each, state.at, due)) for each in state.kept]
    yield from table(rows)


def _of(kept: Kept, now: datetime, due: str) -> tuple[str, ...]:
    found = kept.certificate
    if found is None:
        return (kept.why_not if kept.why_not == "there is none" else f"{kept.field}: {kept.why_not}",)
    renewal = "" if kept.role == "next CA" else f"{due} {found.renewal:%Y-%m-%d}"
    why = f"{kept.field}: {kept.why_not}" if kept.why_not else renewal
    return found.subject, f"serial {_short(found.serial)}", found.key, _from_until(found, now), why


_WAYS = {
    "direct": "dialled directly, at their addresses",
    "port-forward": "asked through the API server, by port-forward to each Pod",
}


def _replicas(state: State) -> Iterator[str]:
    if state.files:
        return
    yield ""
    yield f"Replicas ({_WAYS[state.way]})" if state.way in _WAYS else "Replicas"
    rows = [
        (
            each.where.removeprefix("replica "),
            *(
                (each.leaf.subject, f"serial {_short(serial(each.leaf.serial))}", _from_until(each.leaf, state.at))
                if each.leaf
                else (f"cannot be reached from here: {each.unreachable}",)
            ),
        )
        for each in state.replicas
    ]
    nothing = "  not seen" if state.hidden("endpointslices") else "  none is ready"
    yield from table(rows) if rows else (nothing,)


def _bundles(state: State) -> Iterator[str]:
    yield ""
    yield "CA files" if state.files else "caBundles"
    rows: list[tuple[str, ...]] = []
    for each in state.bundles:
        about = (each.where, each.webhook) if each.webhook else (each.where,)
        rows += [
            (*about, anchor.subject, f"serial {_short(anchor.serial)}", _until(anchor.not_after, state.at))
            for anchor in each.anchors
        ]
        if not each.anchors:
            rows.append((*about, "no certificate"))
    nothing = "  not seen" if state.hidden("webhookconfigurations") else "  none"
    yield from table(rows) if rows else (nothing,)


def _verdict(state: State) -> Iterator[str]:
    for each in remarks(state):
        yield f"note: {each}"
    found = findings(state)
    if not found:
        if state.unreachable:
            count = f"{len(state.unreachable)} of {len(state.replicas)}"
            yield f"not known whether it fits: what {count} replicas serve could not be seen from here"
        elif not state.unseen:
            yield f"fits: what is served is trusted by every caBundle for {state.service.dns_name}"
        return
    yield f"does not fit, {len(found)} {'finding' if len(found) == 1 else 'findings'}:"
    for one in found:
        yield f"- {one}"
        yield f"  fix: {one.fix}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their columns aligned, two spaces in; a row's last column is as long as it likes."""
    widths: dict[int, int] = {}
    for row in rows:
        for number, cell in enumerate(row[:-1]):
            widths[number] = max(widths.get(number, 0), len(cell))
    return [
        "  " + "  ".join([*(cell.ljust(widths[number]) for number, cell in enumerate(row[:-1])), row[-1]]).rstrip()
        for row in rows
        if row
    ]


def _from_until(certificate: Summary | Leaf, now: datetime) -> str:
    return f"{certificate.not_before:%Y-%m-%d} to {_until(certificate.not_after, now).removeprefix('until ')}"


def _until(end: datetime, now: datetime) -> str:
    left = end - now
    if left.total_seconds() <= 0:
        return f"until {end:%Y-%m-%d %H:%MZ} (expired)"
    days, hours = left.days, left.seconds // 3600
    return f"until {end:%Y-%m-%d %H:%MZ} ({f'{days} d' if days else f'{hours} h' if hours else 'minutes'} left)"


def _short(number: str) -> str:
    return number if len(number) <= 12 else f"{number[:12]}…"


def _summary(each: Summary) -> JSON:
    return {
        "subject": each.subject,
        "issuer": each.issuer,
        "serial": each.serial,
        "sha256": each.fingerprint,
        "notBefore": stamp(each.not_before),
        "notAfter": stamp(each.not_after),
        "key": each.key,
        "names": list(each.names),
        "renewalDue": stamp(each.renewal),
    }


def _leaf(each: Leaf) -> JSON:
    return {
        "subject": each.subject,
        "issuer": each.issuer,
        "serial": serial(each.serial),
        "notBefore": stamp(each.not_before),
        "notAfter": stamp(each.not_after),
        "names": list(each.names),
    }
