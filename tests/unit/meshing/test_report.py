"""What is printed about objects, in the shape of Linkerd's report."""

from __future__ import annotations

import click
import pytest

from webhook.meshing.outcome import DISABLED, HOST_NETWORK, NO_TOKEN, SIDECAR, UDP, Outcome
from webhook.meshing.report import as_json, injection, removal


def outcome(name: str, *warnings: str, verb: str = "injected", why: str = "", problem: str = "") -> Outcome:
    """What became of a Deployment."""
    body = {"kind": "Deployment"}
    return Outcome("deployment", name, body, verb, why, problem, frozenset(warnings))  # type: ignore[arg-type]


def printed(*outcomes: Outcome, verbose: bool = False) -> list[str]:
    """The lines without their colours."""
    return [click.unstyle(line) for line in injection(outcomes, verbose=verbose)]


OTHER = Outcome("configmap", "a", {}, "skipped", "it has no Pod template", is_supported=False)
NAMELESS = Outcome("", "", {}, "skipped", "it has no kind", is_supported=False)


def test_each_object_is_one_line_with_the_reason_where_it_was_skipped() -> None:
    skipped = outcome("b", verb="skipped", why="hostNetwork is enabled")
    assert printed(outcome("a"), skipped) == [
        'deployment "a" injected',
        'deployment "b" skipped',
        "    hostNetwork is enabled",
    ]


@pytest.mark.parametrize(
    ("about", "one", "two"),
    [
        (HOST_NETWORK, '"hostNetwork: true" detected in deployment/a', ", deployment/b"),
        (SIDECAR, "known 3rd party sidecar detected in deployment/a", ", deployment/b"),
        (DISABLED, '"linkerd.io/inject: disabled" annotation set on deployment/a', ", deployment/b"),
        (NO_TOKEN, '"automountServiceAccountToken: false" set on deployment/a', ", deployment/b"),
    ],
)
def test_a_warning_names_all_objects_that_it_is_about(about: str, one: str, two: str) -> None:
    assert printed(outcome("a", about))[:2] == [f"‼ {one}", ""]
    assert printed(outcome("a", about), outcome("b", about))[0] == f"‼ {one}{two}"


def test_the_warning_about_udp_is_in_the_right_number() -> None:
    assert printed(outcome("a", UDP))[0] == '‼ deployment/a uses "protocol: UDP"'
    assert printed(outcome("a", UDP), outcome("b", UDP))[0] == '‼ deployment/a, deployment/b use "protocol: UDP"'


def test_it_warns_where_nothing_can_be_injected() -> None:
    assert printed(OTHER)[0] == "‼ no supported objects found"
    assert printed(OTHER, outcome("a")) == [
        'configmap "a" skipped',
        "    it has no Pod template",
        'deployment "a" injected',
    ]


def test_a_document_without_a_kind_is_told_apart() -> None:
    assert printed(NAMELESS)[-1] == 'document missing "kind" field, skipped'


def test_what_is_well_is_listed_where_that_is_asked_for() -> None:
    lines = printed(outcome("a", UDP), verbose=True)
    assert [line[0] for line in lines if line[:1] in ("√", "‼")] == ["√", "√", "√", "√", "‼", "√"]
    assert "√ at least one resource can be injected or annotated" in lines


def test_taking_out_reports_each_object() -> None:
    assert list(removal([outcome("a", verb="uninjected")])) == ['deployment "a" uninjected']


def test_programs_get_the_problem_and_the_warnings_too() -> None:
    wrong = outcome("a", UDP, HOST_NETWORK, verb="skipped", why="because", problem="it cannot")
    assert as_json([wrong]) == [
        {
            "kind": "deployment",
            "name": "a",
            "result": "skipped",
            "reason": "because",
            "problem": "it cannot",
            "warnings": ["hostNetwork", "udp"],
        }
    ]
