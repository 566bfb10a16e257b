"""YAML text to objects: keys, merges, aliases and what is wrong."""

from __future__ import annotations

import time

import pytest

from webhook.yaml.objects import Broken, read


class TestMerges:
    def test_stand_where_they_are_written(self) -> None:
        contents = read("a: &a {x: 1, w: 2}\nb: {x: 5, <<: *a}\nc: {<<: *a, x: 5}\n")
        assert (contents["b"], contents["c"]) == ({"x": 1, "w": 2}, {"x": 5, "w": 2})

    def test_of_several_count_the_first_most(self) -> None:
        assert read("a: {<<: [{x: 1, v: 1}, {x: 2, w: 2}]}") == {"a": {"x": 1, "v": 1, "w": 2}}

    def test_of_a_later_merge_count_more(self) -> None:
        assert read("a: {<<: {x: 1}, <<: {x: 2}}") == {"a": {"x": 2}}

    def test_need_mappings(self) -> None:
        for value in ("5", "[{a: 1}, 5]", "text"):
            with pytest.raises(Broken, match="<< merges a mapping"):
                read(f"a: {{<<: {value}}}")

    def test_in_quotes_are_keys(self) -> None:
        assert read('"<<": {a: 1}') == {"<<": {"a": 1}}


class TestText:
    def test_of_several_documents_counts_the_first(self) -> None:
        assert read("a: 1\n---\nb: [\n") == {"a": 1}

    @pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null", "\n\n"])
    def test_without_anything_is_null(self, text: str) -> None:
        assert read(text) is None

    def test_takes_the_last_of_equal_keys(self) -> None:
        assert read("1: a\n'1': b\n") == {"1": "b"}

    def test_tags_of_collections_have_no_effect(self) -> None:
        assert read("a: !!set {q, r}\nb: !foo [1]\nc: !!null {d: 1}") == {
            "a": {"q": None, "r": None},
            "b": [1],
            "c": {"d": 1},
        }

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("a: [b", 1),
            ("a: 1\nb: *nowhere", 2),
            ("a: 1\n\n? [x]\n: 2", 3),
            ("a:\n  b: !!int x", 2),
            ("a: \x07", 1),
            ("\n" * 4 + "a: b: c", 5),
            ("[" * 5000, 1),
            ("\n".join(" " * depth + "a:" for depth in range(400)), 201),
        ],
    )
    def test_that_is_broken_is_told_by_line(self, text: str, line: int) -> None:
        with pytest.raises(Broken) as caught:
            read(text)
        assert caught.value.line == line
        assert caught.value.message


class TestAliases:
    @pytest.mark.parametrize("text", ["a: &x [*x]", "a: &x {<<: *x}", "a: &x {b: {c: *x}}"])
    def test_of_itself_are_told(self, text: str) -> None:
        with pytest.raises(Broken, match="contains itself"):
            read(text)

    def test_that_grow_without_bounds_are_told_at_once(self) -> None:
        bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
        )
        start = time.process_time()
        with pytest.raises(Broken, match="aliases expand to more than"):
            read(bomb)
        assert time.process_time() - start < 2
