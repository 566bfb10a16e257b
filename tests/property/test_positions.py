"""Positions of every field, for documents written with their places at hand; and values as `load` has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhook.manifest import load
from webhook.manifest.files import Problem
from webhook.manifest.positions import Located, read
from webhook.yaml.objects import Loader

BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WORDS = st.one_of(
    st.sampled_from(["a", "port", "spec.x", "1", "true", "<<", "~", "", "2026-01-01", "- x", "a: b", "#", "*x", "ä🙂"]),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff\ufffe\uffff"),
        max_size=8,
    ),
)
# Between these, whole numbers of 64 bits are written with more digits than a float has.
FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not 2**53 < abs(value) < 2**63)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), FLOATS, WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(WORDS, VALUES, min_size=1, max_size=5)


class Dumper(yaml.SafeDumper):
    """Puts in quotes what would be read as something else here."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """The tag that the reader takes for granted."""
        return str(Loader.resolve(kind, value if kind is yaml.ScalarNode else "", implicit))


Places = dict[tuple[str | int, ...], tuple[int, int]]


class Writer:
    """Writes a document and notes where each field comes to stand. `choose` tells what may be chosen freely."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw
        self.text = ""
        self.places: Places = {}

    def _write(self, text: str) -> None:
        self.text += text

    def _place(self, path: tuple[str | int, ...]) -> None:
        start = self.text.rfind("\n") + 1
        self.places[path] = (self.text.count("\n") + 1, len(self.text) - start + 1)

    def _gap(self, *gaps: str) -> None:
        self._write(self._draw(st.sampled_from(gaps)))

    def flow(
        self, value: Any, path: tuple[str | int, ...] = (), *, gaps: tuple[str, ...] = ("", " ", "\n", "\n   ")
    ) -> None:
        """As JSON, with blanks wherever they may be."""
        if isinstance(value, dict):
            self._write("{")
            for index, (key, inner) in enumerate(value.items()):
                self._write("," if index else "")
                self._gap(*gaps)
                self._place((*path, key))
                self._write(json.dumps(key, ensure_ascii=False) + ": ")
                self.flow(inner, (*path, key), gaps=gaps)
            self._gap(*gaps)
            self._write("}")
        elif isinstance(value, list):
            self._write("[")
            for index, inner in enumerate(value):
                self._write("," if index else "")
                self._gap(*gaps)
                self._place((*path, index))
                self.flow(inner, (*path, index), gaps=gaps)
            self._gap(*gaps)
            self._write("]")
        else:
            self._write(json.dumps(value, ensure_ascii=False))

    def block(self, value: Any, path: tuple[str | int, ...] = (), depth: int = 0) -> None:
        """As YAML, each collection in blocks or in braces."""
        if not value or not isinstance(value, dict | list) or (path and self._draw(st.booleans())):
            self._write(" ")
            self.flow(value, path, gaps=("", " "))
            self._write("\n")
            return
        self._write("\n" if path else "")
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            self._gap("", "", "# a comment\n", "\n")
            self._write("  " * depth)
            if isinstance(value, dict):
                self._place((*path, key))
                self._write(json.dumps(key, ensure_ascii=False) + ":")
            else:
                self._write("- ")
                self._place((*path, key))
            if isinstance(value, list) and isinstance(inner, dict | list):
                self.flow(inner, (*path, key), gaps=("", " "))
                self._write("\n")
            elif isinstance(value, list):
                self._write(json.dumps(inner, ensure_ascii=False) + "\n")
            else:
                self.block(inner, (*path, key), depth + 1)


def only(folder: Path, text: str, name: str) -> Located:
    """The one document of a text."""
    file = folder / name
    file.write_text(text, encoding="utf-8", newline="")
    (contents,) = read(str(file))
    assert isinstance(contents, Located), (contents, text)
    return contents


@BOUNDED
@given(data=st.data(), document=DOCUMENTS)
@pytest.mark.parametrize("form", ["flow", "block"])
def test_every_field_is_found_where_it_was_written(
    tmp_path: Path, data: st.DataObject, document: Any, form: str
) -> None:
    writer = Writer(data.draw)
    getattr(writer, form)(document)
    entry = only(tmp_path, writer.text, "a.yaml")
    assert entry.body == document
    assert {path: entry.position(path) for path in writer.places} == writer.places


@BOUNDED
@given(document=DOCUMENTS, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_json_and_yaml_agree_on_the_places_of_a_json_text(
    tmp_path: Path, document: Any, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    if re.search(r"\\ud[89ab]", text):
        return  # YAML has no surrogates
    quick = only(tmp_path, text, "a.json")
    # An anchor makes YAML of it.
    slow = only(tmp_path, "&a " + text, "b.yaml")
    assert quick.body == slow.body == document
    for path in paths(document):
        line, column = quick.position(path)
        assert slow.position(path) == (line, column + (3 if line == 1 else 0))


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all fields."""
    entries: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, inner in entries for path in ((*at, key), *paths(inner, (*at, key)))]


@BOUNDED
@given(documents=st.lists(DOCUMENTS, max_size=3), flow=st.sampled_from([None, True, False]), width=st.integers(10, 90))
def test_values_are_those_that_load_gives(tmp_path: Path, documents: list[Any], flow: bool | None, width: int) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        yaml.dump_all(documents, Dumper=Dumper, default_flow_style=flow, width=width, allow_unicode=True),
        encoding="utf-8",
    )
    bodies = [entry.body for entry in read(str(file)) if isinstance(entry, Located)]
    assert (bodies, []) == load.load([file])


@BOUNDED
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.text("ab1~ \n-:[]{}&*<>|'\"!#,?%\\\t", max_size=60),
        st.lists(
            st.sampled_from(
                ["a: ", "&x ", "*x", "- ", "\n", "  ", "<<: ", "{", "}", "[", "]", "---\n", "b", ", ", "!!int "]
            ),
            max_size=25,
        ).map("".join),
    )
)
def test_any_text_is_read_or_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    lines = text.count("\n") + text.count("\r") + 1
    for entry in read(str(file)):
        if isinstance(entry, Problem):
            assert entry.message
        else:
            for path in paths(entry.body):
                assert (
                    1
                    <= entry.position(path).line
                    <= lines + text.count("\x85") + text.count("\u2028") + text.count("\u2029")
                )
            entry.doubles()
