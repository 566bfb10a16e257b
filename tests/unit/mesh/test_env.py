"""EnvVars as an annotation or the values carry them."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.mesh.env import merge_env_vars, read_env_vars


class TestReading:
    @pytest.mark.parametrize(
        ("given", "rendered"),
        [
            ({"name": "A", "value": "1"}, {"name": "A", "value": "1"}),
            ({"name": "A", "value": ""}, {"name": "A"}),
            ({"name": "A", "value": None}, {"name": "A"}),
            ({}, {"name": ""}),
            ({"NAME": "A", "Value": "1", "other": 5}, {"name": "A", "value": "1"}),
            (
                {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ),
            (
                {"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1"}}},
                {"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": ""}}},
            ),
            (
                {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}},
            ),
            (
                {"name": "A", "valueFrom": {"resourceFieldRef": {"divisor": 1}}},
                {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "", "divisor": "1"}}},
            ),
            (
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": False}}},
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": False}}},
            ),
            (
                {"name": "A", "valueFrom": {"secretKeyRef": {}}},
                {"name": "A", "valueFrom": {"secretKeyRef": {"key": ""}}},
            ),
            (
                {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p"}}},
                {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": ""}}},
            ),
            ({"name": "A", "valueFrom": {}}, {"name": "A", "valueFrom": {}}),
            ({"name": "A", "valueFrom": None}, {"name": "A"}),
            ({"name": 'q"uo\\te', "value": "line\nbreak é"}, {"name": 'q"uo\\te', "value": "line\nbreak é"}),
        ],
    )
    def test_each_is_written_as_kubernetes_writes_it(self, given: dict[str, Any], rendered: dict[str, Any]) -> None:
        assert read_env_vars([given]) == [rendered]

    @pytest.mark.parametrize("value", [None, []])
    def test_none_are_none(self, value: Any) -> None:
        assert read_env_vars(value) == []

    def test_null_among_them_is_a_variable_without_a_name(self) -> None:
        assert read_env_vars([None, {"name": "A"}]) == [{"name": ""}, {"name": "A"}]

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({}, "want an array of EnvVar objects, got an object"),
            ("A=1", "want an array of EnvVar objects, got 'A=1'"),
            (5, "want an array of EnvVar objects, got 5"),
            (["A=1"], "[0]: want an object, got 'A=1'"),
            ([{"name": 1}], "[0].name: want text, got 1"),
            ([{"name": "A"}, {"name": "B", "value": 5}], "[1].value: want text, got 5"),
            ([{"value": True}], "[0].value: want text, got true"),
            ([{"valueFrom": []}], "[0].valueFrom: want an object, got an array"),
            ([{"valueFrom": {"fieldRef": "x"}}], "[0].valueFrom.fieldRef: want an object, got 'x'"),
            (
                [{"valueFrom": {"secretKeyRef": {"optional": "no"}}}],
                "[0].valueFrom.secretKeyRef.optional: want true or false, got 'no'",
            ),
            (
                [{"valueFrom": {"resourceFieldRef": {"divisor": "one"}}}],
                "[0].valueFrom.resourceFieldRef.divisor: want a quantity such as 100m, 0.5, 64Mi or 1G, got 'one'",
            ),
            (
                [{"valueFrom": {"resourceFieldRef": {"divisor": True}}}],
                "[0].valueFrom.resourceFieldRef.divisor: want a quantity, got true",
            ),
        ],
    )
    def test_a_refusal_says_where_and_what(self, value: Any, message: str) -> None:
        with pytest.raises(ValueError, match="want") as caught:
            read_env_vars(value)
        assert str(caught.value) == message


class TestMerging:
    A1, A2 = {"name": "A", "value": "1"}, {"name": "A", "value": "2"}
    B, C = {"name": "B"}, {"name": "C"}

    def test_what_is_new_comes_last_in_its_order(self) -> None:
        assert merge_env_vars([self.A1], [self.C, self.B]) == [self.A1, self.C, self.B]

    def test_what_is_there_is_replaced_in_its_place(self) -> None:
        assert merge_env_vars([self.A1, self.B], [self.C, self.A2]) == [self.A2, self.B, self.C]

    def test_of_two_of_one_name_the_last_counts(self) -> None:
        assert merge_env_vars([], [self.A1, self.A2]) == [self.A2]

    def test_of_two_of_one_name_that_are_there_the_first_is_replaced(self) -> None:
        assert merge_env_vars([self.A1, self.A1, self.B], [self.A2]) == [self.A2, self.A1, self.B]

    def test_neither_list_is_changed(self) -> None:
        base, over = [self.A1], [self.A2, self.B]
        merge_env_vars(base, over)
        assert (base, over) == ([self.A1], [self.A2, self.B])
