"""What the workload of a Pod is told: whole sentences, within what an Event holds, with identifiers to look up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.injector.builders import INJECT, container, pod, request
from webhook.injector import decision
from webhook.injector import workload_events as told
from webhook.injector.decision import SENTENCES, Decision
from webhook.injector.subject import Subject, read
from webhook.review import EVENT_LENGTH

ANSWERS = Path(__file__).parents[3] / "docs" / "answers.md"


def of_deployment(annotations: dict[str, str] | None = None) -> Subject:
    """A Pod that a workload owns."""
    body = pod(annotations)
    body["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-1"}]
    return read(request(body))


class TestSkipped:
    @pytest.mark.parametrize("reason", sorted(SENTENCES))
    def test_ends_in_an_identifier_that_the_documentation_has_a_heading_for(self, reason: str) -> None:
        event = told.skipped(Decision(False, [reason]), of_deployment(), {}, "shop", wanted=False)
        assert event.message.startswith("not injected: ")
        assert event.message.endswith(f"({reason})")
        assert f"\n### {reason}\n" in ANSWERS.read_text()

    def test_names_the_namespace_and_its_value(self) -> None:
        verdict = Decision(False, [decision.INVALID_AT_NAMESPACE])
        event = told.skipped(verdict, of_deployment(), {INJECT: "yes"}, "shop", wanted=True)
        assert event == (
            "InjectionSkipped",
            'not injected: Namespace shop has linkerd.io/inject: "yes"; write enabled, disabled or ingress '
            "(did you mean enabled?) (invalid_inject_annotation_at_ns)",
            "Warning",
        )

    def test_says_nothing_of_the_one_pod_that_it_was_said_of_first(self) -> None:
        body = pod(containers=[container()])
        body["metadata"] |= {"name": "web-1-x2v4c", "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1"}]}
        for reason in SENTENCES:
            event = told.skipped(Decision(False, [reason]), read(request(body)), {}, "shop", wanted=False)
            assert "x2v4c" not in event.message


class TestWarned:
    def test_none_where_there_are_no_warnings(self) -> None:
        assert told.warned([]) == []

    def test_a_single_one_that_is_too_long_is_shortened_in_the_middle(self) -> None:
        (event,) = told.warned(["a: " + "x" * 5000 + ": write b"])
        assert len(event.message) <= EVENT_LENGTH
        assert event.message.startswith("a: x")
        assert event.message.endswith(": write b")

    @pytest.mark.parametrize("count", [5, 6, 40, 400])
    def test_what_there_is_no_room_for_is_counted(self, count: int) -> None:
        sentences = [f"{number:03} {'x' * 185}" for number in range(count)]
        (event,) = told.warned(sentences)
        assert len(event.message) <= EVENT_LENGTH
        whole = event.message.split("; ")
        left = count - 5
        assert whole[:5] == sentences[:5]
        assert whole[5:] == ([f"and {left} more: see the webhook's log"] if left else [])
