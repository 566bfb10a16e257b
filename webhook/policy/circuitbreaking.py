"""Annotations that configure circuit breaking on Services and EgressNetworks, such as
`balancer.linkerd.io/failure-accrual`.

Linkerd's policy controller (linkerd2, `policy-controller/k8s/index/src/outbound/index.rs`) reads them when it indexes
the object. If it cannot read one, it logs an error and disables circuit breaking for the object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from webhook.findings.finding import Finding, Path, Rule, Severity, declare, show, suggest
from webhook.policy.durations import parse_annotation, parse_unsigned, strip_space

INVALID = declare(
    "service-balancer-invalid",
    Severity.WARNING,
    "FieldValueInvalid",
    "Linkerd cannot read an annotation for circuit breaking, and goes on without circuit breaking.",
)
NO_EFFECT = declare(
    "service-balancer-no-effect",
    Severity.WARNING,
    "FieldValueForbidden",
    "An annotation for circuit breaking has no effect as long as another one is missing or says otherwise.",
)
UNKNOWN = declare(
    "service-balancer-unknown",
    Severity.WARNING,
    "FieldValueNotSupported",
    "Linkerd does not read an annotation under balancer.linkerd.io or balancer.alpha.linkerd.io.",
)
ON_ROUTE = declare(
    "route-balancer-invalid",
    Severity.ERROR,
    "FieldValueInvalid",
    "Linkerd 2.16 to 2.19 cannot read an annotation for circuit breaking of a route to a Service or an EgressNetwork.",
)

_STABLE: Final = "balancer.linkerd.io/"
_ALPHA: Final = "balancer.alpha.linkerd.io/"
MODE: Final = f"{_STABLE}failure-accrual"
MODES: Final = ("consecutive", "unified")
_CONSECUTIVE: Final = f"{MODE}-consecutive-"
_MAX_PENALTY: Final = f"{_CONSECUTIVE}max-penalty"
_MIN_PENALTY: Final = f"{_CONSECUTIVE}min-penalty"
_RATE: Final = f"{_ALPHA}failure-accrual-success-rate-"
_THRESHOLD: Final = f"{_RATE}threshold"
_WINDOW: Final = f"{_RATE}window"
_MIN_REQUESTS: Final = f"{_RATE}min-requests"
_RETRY_AFTER: Final = f"{_ALPHA}failure-accrual-honor-retry-after"
_PENALIZE: Final = f"{_ALPHA}penalize-failures"
_BIASER: Final = f"{_ALPHA}load-biaser-"

# The defaults, in milliseconds.
_DEFAULTS: Final = {_MAX_PENALTY: 60_000, _MIN_PENALTY: 1_000}
_U32: Final = 2**32 - 1
_MOST_REQUESTS: Final = 1_000_000
_LEAST_WINDOW: Final = 10
_MOST_JITTER: Final = 100
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
# Rust's grammar of floating-point numbers, without infinities and NaN, which no bound below allows.
_FLOAT: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def _check_count(text: str) -> str:
    return "" if parse_unsigned(text, _U32) is not None else f"write a whole number from 0 to {_U32}"


def _check_duration(text: str) -> str:
    milliseconds = parse_annotation(text)
    return milliseconds if isinstance(milliseconds, str) else ""


def _check_window(text: str) -> str:
    milliseconds = parse_annotation(text)
    if isinstance(milliseconds, str):
        return milliseconds
    return "" if milliseconds else "write a duration above zero, such as 30s"


def _check_jitter(text: str) -> str:
    return _check_bounds(text, _MOST_JITTER, f"write a number from 0 to {_MOST_JITTER}, such as 0.5")


def _check_share(text: str) -> str:
    return _check_bounds(text, 1, "write a number from 0 to 1, such as 0.8")


def _check_bounds(text: str, most: float, advice: str) -> str:
    number = _number(text)
    return "" if number is not None and 0 <= number <= most else advice


def _number(text: str) -> float | None:
    return float(text) if len(text) < 400 and _FLOAT.fullmatch(text) else None


def _check_boolean(text: str) -> str:
    return "" if text in _TRUE | _FALSE else 'write "true" or "false"'


def _check_mode(text: str) -> str:
    return "" if text in MODES else f"write {' or '.join(MODES)}{suggest(text, MODES)}"


# Each function returns what is wrong with a text, an empty string if it is valid. White space around it is removed
# before, except for the mode.
_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    MODE: _check_mode,
    f"{_CONSECUTIVE}max-failures": _check_count,
    _MAX_PENALTY: _check_duration,
    _MIN_PENALTY: _check_duration,
    f"{_CONSECUTIVE}jitter-ratio": _check_jitter,
    _THRESHOLD: _check_share,
    _WINDOW: _check_window,
    _MIN_REQUESTS: _check_count,
    _RETRY_AFTER: _check_boolean,
    _PENALIZE: _check_boolean,
    f"{_BIASER}penalty": _check_duration,
    f"{_BIASER}max-retry-after": _check_duration,
}


def check(annotations: Mapping[str, Any]) -> list[Finding]:
    """The findings about the circuit breaking annotations among all `annotations` of an object."""
    ours = {key: value for key, value in annotations.items() if key.startswith((_STABLE, _ALPHA))}
    if not ours:
        return []
    findings: dict[str, Finding] = {}
    for key, value in ours.items():
        finding = _check_value(key, value)
        if finding is not None:
            findings[key] = finding
    texts = {key: strip_space(value) for key, value in ours.items() if isinstance(value, str) and key not in findings}
    for key, rule, message in _check_combinations(texts, ours):
        if key not in findings:
            findings[key] = rule.at(_path_of(key), message)
    return list(findings.values())


def check_route(annotations: Mapping[str, Any]) -> list[Finding]:
    """The findings about the circuit breaking annotations of a route, for lines that refuse a route whose annotations
    they cannot read (2.16 to 2.19), although the proxy goes by those of the Service. They know one mode."""
    mode = annotations.get(MODE)
    if not isinstance(mode, str):
        return []
    if mode != _ONLY_MODE:
        return [ON_ROUTE.at(_path_of(MODE), f"Linkerd cannot read {show(mode)}: write {_ONLY_MODE}")]
    texts = {key: value for key in _ROUTE_CHECKS if isinstance(value := annotations.get(key), str)}
    wrong = {key: message for key, text in texts.items() if (message := _ROUTE_CHECKS[key](text))}
    findings = [
        ON_ROUTE.at(_path_of(key), f"Linkerd cannot read {show(texts[key])}: {message}")
        for key, message in wrong.items()
    ]
    if wrong:
        return findings
    most, least = (_milliseconds(texts, key) or 0 for key in (_MAX_PENALTY, _MIN_PENALTY))
    if most == 0:
        findings.append(ON_ROUTE.at(_path_of(_MAX_PENALTY), "the longest penalty is zero: write one such as 60s"))
    elif least > most:
        key = _MAX_PENALTY if _MAX_PENALTY in texts else _MIN_PENALTY
        low, high = texts.get(_MIN_PENALTY, "1s (the default)"), texts.get(_MAX_PENALTY, "60s (the default)")
        text = f"the shortest penalty, {low}, exceeds the longest, {high}: change one of them"
        findings.append(ON_ROUTE.at(_path_of(key), text))
    return findings


_ONLY_MODE: Final = "consecutive"
_ROUTE_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    key: check for key, check in _CHECKS.items() if key.startswith(_CONSECUTIVE)
}


def _path_of(key: str) -> Path:
    return ("metadata", "annotations", key)


def _check_value(key: str, value: Any) -> Finding | None:
    check_text = _CHECKS.get(key)
    if check_text is None:
        hint = suggest(key, _CHECKS) or f": Linkerd reads {', '.join(_CHECKS)}"
        return UNKNOWN.at(_path_of(key), f"Linkerd does not read the annotation {show(key)}{hint}")
    if not isinstance(value, str):
        return INVALID.at(_path_of(key), f"{show(value)} is not a string: put it in quotes")
    wrong = check_text(value if key == MODE else strip_space(value))
    if not wrong:
        return None
    without = "circuit breaking" if key not in (_RETRY_AFTER, _PENALIZE) and not key.startswith(_BIASER) else "this"
    return INVALID.at(_path_of(key), f"Linkerd cannot read {show(value)} and goes on without {without}: {wrong}")


def _check_combinations(texts: Mapping[str, str], ours: Mapping[str, Any]) -> Iterator[tuple[str, Rule, str]]:
    """Findings about combinations of annotations that are valid on their own, as key, rule and message.

    `texts` are the annotations with a valid value, `ours` all annotations for circuit breaking."""
    mode = texts.get(MODE)
    if MODE not in ours:
        for key in texts:
            if key.startswith((_CONSECUTIVE, _RATE, _RETRY_AFTER)) and texts[key] not in _FALSE:
                yield key, NO_EFFECT, f"it has no effect without a mode: add the annotation {MODE}: consecutive"
    elif mode == "consecutive":
        for key in texts:
            if key.startswith(_RATE):
                yield (
                    key,
                    NO_EFFECT,
                    f'it has no effect in the mode "consecutive": write {MODE}: unified, or leave it out',
                )
    if mode is not None:
        yield from _check_penalties(texts)
    if mode == "unified":
        yield from _check_success_rate(texts)
    if texts.get(_PENALIZE, "false") in _FALSE and _PENALIZE not in ours.keys() - texts.keys():
        for key in texts:
            if key.startswith(_BIASER):
                yield key, NO_EFFECT, f'it has no effect without the annotation {_PENALIZE}: "true": add that'


def _check_penalties(texts: Mapping[str, str]) -> Iterator[tuple[str, Rule, str]]:
    least, most = (_milliseconds(texts, key) for key in (_MIN_PENALTY, _MAX_PENALTY))
    if least is None or most is None:
        return
    key = _MAX_PENALTY if _MAX_PENALTY in texts else _MIN_PENALTY
    if most == 0:
        yield _MAX_PENALTY, INVALID, f"{_GOES_ON}, as the longest penalty is zero: write one such as 60s"
    elif least > most:
        low, high = texts.get(_MIN_PENALTY, "1s (the default)"), texts.get(_MAX_PENALTY, "60s (the default)")
        yield (
            key,
            INVALID,
            f"{_GOES_ON}, as the shortest penalty, {low}, exceeds the longest, {high}: change one of them",
        )


_GOES_ON: Final = "Linkerd goes on without circuit breaking"


def _milliseconds(texts: Mapping[str, str], key: str) -> int | None:
    milliseconds = parse_annotation(texts[key]) if key in texts else _DEFAULTS[key]
    return milliseconds if isinstance(milliseconds, int) else None


def _check_success_rate(texts: Mapping[str, str]) -> Iterator[tuple[str, Rule, str]]:
    """The bounds of the window and of the requests. A threshold of zero disables both."""
    if _number(texts.get(_THRESHOLD, "1")) == 0:
        return
    window = parse_annotation(texts[_WINDOW]) if _WINDOW in texts else _LEAST_WINDOW
    if isinstance(window, int) and window < _LEAST_WINDOW:
        yield _WINDOW, INVALID, f"{_GOES_ON}, as a window is {_LEAST_WINDOW}ms or longer: write one such as 30s"
    requests = parse_unsigned(texts.get(_MIN_REQUESTS, "0"), _U32)
    if requests is not None and requests > _MOST_REQUESTS:
        yield _MIN_REQUESTS, INVALID, f"{_GOES_ON}, as {requests} is too many: write {_MOST_REQUESTS} at most"
