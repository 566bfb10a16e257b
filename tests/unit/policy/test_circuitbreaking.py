"""Annotations for circuit breaking, as Linkerd's policy controller reads them."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.policy.circuitbreaking import check

MODE = "balancer.linkerd.io/failure-accrual"
CONSECUTIVE = {MODE: "consecutive"}
UNIFIED = {MODE: "unified"}
FAILURES = f"{MODE}-consecutive-max-failures"
MOST = f"{MODE}-consecutive-max-penalty"
LEAST = f"{MODE}-consecutive-min-penalty"
JITTER = f"{MODE}-consecutive-jitter-ratio"
ALPHA = "balancer.alpha.linkerd.io/"
THRESHOLD = f"{ALPHA}failure-accrual-success-rate-threshold"
WINDOW = f"{ALPHA}failure-accrual-success-rate-window"
REQUESTS = f"{ALPHA}failure-accrual-success-rate-min-requests"
RETRY_AFTER = f"{ALPHA}failure-accrual-honor-retry-after"
PENALIZE = f"{ALPHA}penalize-failures"
PENALTY = f"{ALPHA}load-biaser-penalty"


def said(**annotations: Any) -> list[tuple[str, str]]:
    """The annotations that something is said of, and the rules."""
    problems = check(annotations)
    assert all(one.path == ("metadata", "annotations", one.path[2]) and one.message for one in problems)
    return [(str(one.path[2]), one.rule.id) for one in problems]


def of(annotations: dict[str, Any]) -> list[tuple[str, str]]:
    return said(**annotations)


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"linkerd.io/inject": "enabled", "balancer": "x", "balancer.example.org/failure-accrual": "x"},
        CONSECUTIVE,
        UNIFIED,
        {**CONSECUTIVE, FAILURES: "7", LEAST: "1s", MOST: "1m", JITTER: "0.5"},
        {**CONSECUTIVE, FAILURES: " 0 ", LEAST: "0", MOST: "100ms", JITTER: "1e2"},
        {**CONSECUTIVE, FAILURES: "+4294967295", JITTER: ".5"},
        {**CONSECUTIVE, RETRY_AFTER: "true"},
        {RETRY_AFTER: "false"},
        {**UNIFIED, THRESHOLD: "0.8", WINDOW: "30s", REQUESTS: "10"},
        {**UNIFIED, THRESHOLD: "0", WINDOW: "1ms", REQUESTS: "2000000"},
        {PENALIZE: "1", PENALTY: "5s"},
        {PENALIZE: "false"},
    ],
)
def test_what_linkerd_reads_is_fine(annotations: dict[str, Any]) -> None:
    assert of(annotations) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (FAILURES, "seven"),
        (FAILURES, "-1"),
        (FAILURES, "7.0"),
        (FAILURES, ""),
        (FAILURES, "4294967296"),
        (FAILURES, 7),
        (MOST, "10"),
        (MOST, "1.5s"),
        (MOST, "-1s"),
        (LEAST, "1 s"),
        (LEAST, "1sec"),
        (JITTER, "-0.1"),
        (JITTER, "101"),
        (JITTER, "50%"),
        (JITTER, "0,5"),
        (JITTER, "inf"),
        (JITTER, "NaN"),
        (RETRY_AFTER, "yes"),
        (RETRY_AFTER, ""),
        (PENALIZE, "on"),
    ],
)
def test_what_linkerd_cannot_read_is_told(key: str, value: Any) -> None:
    assert of({**CONSECUTIVE, key: value}) == [(key, "service-balancer-invalid")]


@pytest.mark.parametrize("mode", ["Consecutive", "consecutive ", "true", "", "success-rate"])
def test_a_mode_that_there_is_not_is_told(mode: str) -> None:
    assert of({MODE: mode, FAILURES: "7"}) == [(MODE, "service-balancer-invalid")]


@pytest.mark.parametrize(
    ("annotations", "key"),
    [
        ({**CONSECUTIVE, LEAST: "2m"}, LEAST),
        ({**CONSECUTIVE, MOST: "500ms"}, MOST),
        ({**CONSECUTIVE, LEAST: "10s", MOST: "5s"}, MOST),
        ({**CONSECUTIVE, LEAST: "0", MOST: "0s"}, MOST),
        ({**UNIFIED, WINDOW: "9ms"}, WINDOW),
        ({**UNIFIED, WINDOW: "0"}, WINDOW),
        ({**UNIFIED, REQUESTS: "1000001"}, REQUESTS),
        ({**UNIFIED, THRESHOLD: "1.1"}, THRESHOLD),
    ],
)
def test_bounds_that_do_not_go_together_are_told(annotations: dict[str, Any], key: str) -> None:
    assert of(annotations) == [(key, "service-balancer-invalid")]


@pytest.mark.parametrize(
    ("annotations", "key"),
    [
        ({FAILURES: "7"}, FAILURES),
        ({THRESHOLD: "0.5"}, THRESHOLD),
        ({RETRY_AFTER: "true"}, RETRY_AFTER),
        ({**CONSECUTIVE, THRESHOLD: "0.5"}, THRESHOLD),
        ({PENALTY: "5s"}, PENALTY),
        ({PENALIZE: "false", PENALTY: "5s"}, PENALTY),
    ],
)
def test_what_has_no_effect_is_told(annotations: dict[str, Any], key: str) -> None:
    assert of(annotations) == [(key, "service-balancer-no-effect")]


def test_a_misspelt_name_is_told_the_right_one() -> None:
    (finding,) = check({"balancer.linkerd.io/failure-accural": "consecutive"})
    assert finding.rule.id == "service-balancer-unknown"
    assert '(did you mean "balancer.linkerd.io/failure-accrual"?)' in finding.message
