"""Values: laid over each other, set one by one, and told off where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.install.assign import AssignError, assign, merged
from webhook.install.schema import excessive, problems
from webhook.install.settings import defaults


class TestMerged:
    """Values over values."""

    def test_lays_objects_over_each_other_and_replaces_all_else(self) -> None:
        assert merged({"a": {"x": 1, "y": [1]}, "b": 1}, {"a": {"y": [2]}}) == {"a": {"x": 1, "y": [2]}, "b": 1}

    def test_takes_away_what_is_null(self) -> None:
        assert merged({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}) == {"a": {"y": 2}}
        assert merged({}, {"a": {"x": None}}) == {"a": {}}

    def test_changes_neither(self) -> None:
        base: dict[str, Any] = {"a": {"x": 1}}
        over: dict[str, Any] = {"a": {"y": [1]}}
        merged(base, over)["a"]["y"].append(2)
        assert (base, over) == ({"a": {"x": 1}}, {"a": {"y": [1]}})

    def test_leaves_the_defaults_as_they_are(self) -> None:
        defaults()["podLabels"]["a"] = "b"
        assert defaults()["podLabels"] == {}


class TestAssign:
    """`--set`, as Helm reads it."""

    @pytest.mark.parametrize(
        ("text", "path", "wanted"),
        [
            ("replicas=3", "replicas", 3),
            ("adopt=true", "adopt", True),
            ("image.tag=007", "image", {**defaults()["image"], "tag": "007"}),
            ("replicas=3,adopt=true", "adopt", True),
            ("namespaces.exclude={a,b}", "namespaces", {"optIn": False, "exclude": ["a", "b"]}),
            ("namespaces.exclude={}", "namespaces", {"optIn": False, "exclude": []}),
            ("namespaces.exclude[0]=a", "namespaces", {"optIn": False, "exclude": ["a"]}),
            ("image.pullSecrets[0].name=a", "image", {**defaults()["image"], "pullSecrets": [{"name": "a"}]}),
            (r"podAnnotations.a\.b/c=x\,y", "podAnnotations", {"a.b/c": "x,y"}),
            ("podAnnotations.a=x=y", "podAnnotations", {"a": "x=y"}),
            (
                "resources.limits.memory=null",
                "resources",
                {"requests": defaults()["resources"]["requests"], "limits": {}},
            ),
        ],
    )
    def test_sets(self, text: str, path: str, wanted: Any) -> None:
        assert assign(defaults(), text)[path] == wanted

    def test_changes_nothing_of_what_it_is_given(self) -> None:
        values = defaults()
        assign(values, "image.pullSecrets[0].name=a")
        assert values == defaults()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("replica=3", "replica: this setting does not exist; did you mean replicas?"),
            ("image.tga=3", "did you mean image.tag?"),
            ("tag=3", "did you mean image.tag?"),
            ("replicas", "write path=value"),
            ("=3", "write path=value"),
            ("image.pullSecrets[1].name=a", "the next item is [0]"),
            ("image.pullSecrets.x=a", "is not an index"),
        ],
    )
    def test_refuses_with_the_way_out(self, text: str, message: str) -> None:
        with pytest.raises(AssignError) as caught:
            assign(defaults(), text)
        assert message in str(caught.value)
        assert f'"{text}"' in str(caught.value)


class TestProblems:
    """What is wrong with values."""

    def test_are_none_with_the_defaults(self) -> None:
        assert problems(defaults()) == []

    def test_are_told_all_at_once(self) -> None:
        wrong = {"replicas": 0, "port": "a", "image": {"tga": "x"}, "guard": "wran", "nodeSelector": {"a": 1}}
        assert problems(wrong) == [
            "replicas: 0 is not allowed: write 1 to 100",
            'port: "a" is not a whole number',
            "image.tga: this setting does not exist; did you mean image.tag?",
            'guard: "wran" is not allowed: write off, warn or deny (did you mean warn?)',
            "nodeSelector.a: 1 is not a string",
        ]

    def test_a_request_above_its_limit_is_told(self) -> None:
        """The API server refuses such Pods, and only the ReplicaSet would say so."""
        values = merged(
            defaults(), {"resources": {"requests": {"memory": "1Gi", "cpu": 1}, "limits": {"cpu": "1000m"}}}
        )
        assert excessive(defaults()) == []
        assert excessive(values) == [
            'resources.requests.memory: "1Gi" is above resources.limits.memory, "256Mi": lower the request or raise '
            "the limit"
        ]

    @pytest.mark.parametrize("quantity", ["100m", "0.5", ".5", "5.", "+1", "1e3", "1E-2", "64Mi", "1G", 1, 0.5])
    def test_a_quantity_is_any_that_kubernetes_reads(self, quantity: object) -> None:
        assert problems({"resources": {"limits": {"memory": quantity}}}) == []

    @pytest.mark.parametrize("quantity", ["", "256MB", "1 Gi", "-1", "1e", "a", "1mi", ".", -1, True, None])
    def test_what_kubernetes_does_not_read_as_a_quantity_is_told(self, quantity: object) -> None:
        (problem,) = problems({"resources": {"limits": {"memory": quantity}}})
        assert problem.startswith("resources.limits.memory: ")

    def test_true_is_no_number(self) -> None:
        assert problems({"replicas": True}) == ["replicas: true is not a whole number"]

    def test_a_line_end_does_not_slip_through_a_pattern(self) -> None:
        (problem,) = problems({"clusterDomain": "cluster.local\n"})
        assert problem.startswith("clusterDomain: ")

    def test_off_as_yaml_reads_it_is_told(self) -> None:
        # `guard: off` is false to a YAML 1.1 reader.
        assert problems({"guard": False}) == ["guard: false is not a string"]
