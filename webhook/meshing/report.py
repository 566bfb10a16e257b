"""What `inject` and `uninject` print about the objects, in the shape of Linkerd's report.

Outcomes are iterated more than once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from webhook.injector.decision import INJECT
from webhook.meshing.outcome import DISABLED, HOST_NETWORK, NO_TOKEN, SIDECAR, UDP, Outcome
from webhook.review import JSON

_WELL: Final = "\x1b[32;1m√\x1b[0m"
_WARNING: Final = "\x1b[33;1m‼\x1b[0m"

# What is so where no object has a warning.
_PASSES: Final = {
    HOST_NETWORK: "pods do not use host networking",
    SIDECAR: "pods do not have a 3rd party proxy or initContainer already injected",
    DISABLED: "pods are not annotated to disable injection",
    "": "at least one resource can be injected or annotated",
    UDP: "pod specs do not include UDP ports",
    NO_TOKEN: (
        'pods do not have automountServiceAccountToken set to "false" or service account token projection is enabled'
    ),
}


def injection(outcomes: Iterable[Outcome], *, verbose: bool = False) -> Iterator[str]:
    """The report of `inject`; with `verbose` also what is well. Marks are coloured."""
    warned = False
    for about, passes in _PASSES.items():
        concerned = [outcome.resource for outcome in outcomes if about in outcome.warnings]
        if about:
            text = warning(about, concerned) if concerned else ""
        else:
            text = "" if any(outcome.is_supported for outcome in outcomes) else "no supported objects found"
        if text:
            yield f"{_WARNING} {text}"
        elif verbose:
            yield f"{_WELL} {passes}"
        warned = warned or bool(text) or verbose
    if warned:
        yield ""
    yield from _summary(outcomes)


def warning(about: str, concerned: list[str]) -> str:
    """The sentence of a warning about these objects, at least one."""
    names = ", ".join(concerned)
    return {
        HOST_NETWORK: f'"hostNetwork: true" detected in {names}',
        SIDECAR: f"known 3rd party sidecar detected in {names}",
        DISABLED: f'"{INJECT}: disabled" annotation set on {names}',
        UDP: f'{names} {"use" if len(concerned) > 1 else "uses"} "protocol: UDP"',
        NO_TOKEN: f'"automountServiceAccountToken: false" set on {names}',
    }[about]


def removal(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """The report of `uninject`."""
    yield from _summary(outcomes)


def _summary(outcomes: Iterable[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if not outcome.kind:
            yield 'document missing "kind" field, skipped'
            continue
        yield f'{outcome.kind} "{outcome.name}" {outcome.verb}'
        if outcome.why and outcome.verb == "skipped":
            yield f"    {outcome.why}"


def as_json(outcomes: Iterable[Outcome]) -> list[JSON]:
    """The objects and what became of each, for programs."""
    return [
        {
            "kind": outcome.kind,
            "name": outcome.name,
            "result": outcome.verb,
            "reason": outcome.why,
            "problem": outcome.problem,
            "warnings": sorted(outcome.warnings),
        }
        for outcome in outcomes
    ]
