"""Edits of YAML text: whatever the style, the result has the wanted value, and what was added goes without a trace."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from random import Random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.yaml import emit
from webhook.yaml.edit import apply, edits
from webhook.yaml.objects import Build, Loader

KEYS = st.sampled_from(
    ["a", "b", "name", "metadata", "labels", "x y", "on", "1", "a:b", "#c", "é", "linkerd.io/inject"]
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", "y", "0644", "1:30", "null", "~", "a # b", "a: b", "- a", "two\nlines", "{}", "*x", " padded "]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=8),
)
SCALARS = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(-9, 10**9), st.sampled_from([1.5, -0.25]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)
BODIES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)


@dataclass
class Writer:
    """Writes a value as YAML in a style that chance decides, with comments, blank lines, quotes and flow style."""

    chance: Random
    newline: str = "\n"
    offset: int = 0
    lines: list[str] = field(default_factory=list)

    def document(self, body: dict[str, Any]) -> str:
        """The text of a document."""
        self.offset = self.chance.choice([0, 0, 2])
        self.comment(0)
        self.mapping(body, 0)
        # At the end of a text, `|` and no line break would make another value of the text than `|` and one.
        end = self.chance.choice(["" if "|" not in "".join(self.lines[-2:]) else self.newline, self.newline * 2])
        return self.newline.join(self.lines) + end

    def comment(self, indent: int) -> None:
        """A comment or a blank line, or neither."""
        if self.chance.random() < 0.2:
            self.lines.append(self.chance.choice(["", f"{' ' * indent}# a: comment"]))

    def tail(self) -> str:
        """A comment behind a value, or nothing."""
        return "  # tail" if self.chance.random() < 0.2 else ""

    def scalar(self, value: Any) -> str:
        """A scalar, in quotes or not."""
        if isinstance(value, str) and self.chance.random() < 0.3:
            return emit.flow(value)
        if value is None and self.chance.random() < 0.5:
            return self.chance.choice(["~", "null"])
        return emit.scalar(value)

    def mapping(self, body: dict[str, Any], indent: int) -> None:
        """The lines of a block mapping."""
        for key, value in body.items():
            self.comment(indent)
            head = f"{' ' * indent}{self.scalar(key)}:"
            self.value(head, value, indent, indent + 2, indent + self.offset)

    def sequence(self, body: list[Any], indent: int) -> None:
        """The lines of a block list."""
        for value in body:
            self.comment(indent)
            if isinstance(value, dict) and value and self.chance.random() < 0.8:
                inner = Writer(self.chance, self.newline, self.offset)
                inner.mapping(value, indent + 2)
                while not inner.lines[0].strip() or inner.lines[0].lstrip().startswith("#"):
                    inner.lines.pop(0)
                self.lines += [f"{' ' * indent}- {inner.lines[0][indent + 2 :]}", *inner.lines[1:]]
            else:
                self.value(f"{' ' * indent}-", value, indent, indent + 2, indent + 2)

    def value(self, head: str, value: Any, indent: int, of_mapping: int, of_list: int) -> None:
        """A value behind a key or a dash."""
        if (
            isinstance(value, str)
            and self.chance.random() < 0.2
            and value.strip() == value
            and value.isprintable()
            and value
        ):
            self.lines += [f"{head} {self.chance.choice(['|', '|-', '>-'])}", f"{' ' * (indent + 3)}{value}"]
        elif not isinstance(value, dict | list) or not value:
            self.lines.append(f"{head} {self.scalar(value)}{self.tail()}")
        elif self.chance.random() < 0.3:
            self.lines.append(f"{head} {emit.flow(value)}{self.tail()}")
        else:
            self.lines.append(head + self.tail())
            if isinstance(value, dict):
                self.mapping(value, of_mapping)
            else:
                self.sequence(value, of_list)


def read(text: str) -> tuple[yaml.Node, Any]:
    """The first document's node and value."""
    loader = Loader(text)
    assert loader.check_node()
    node = loader.get_node()
    assert node is not None
    return node, Build(loader).document(node)


def edited(text: str, new: Any) -> str:
    """The text with this value."""
    node, old = read(text)
    return apply(text, edits(text, node, old, new))


@given(body=BODIES, new=BODIES, seed=st.integers(0, 2**32), newline=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=300)
def test_an_edited_text_has_the_wanted_value(body: Any, new: Any, seed: int, newline: str) -> None:
    text = Writer(Random(seed), newline).document(body)
    _, value = read(text)
    merged = {**copy.deepcopy(value), **new}
    for wanted in (new, merged):
        assert read(edited(text, wanted))[1] == wanted


@given(body=BODIES, seed=st.integers(0, 2**32), newline=st.sampled_from(["\n", "\r\n"]), data=st.data())
@settings(max_examples=300)
def test_what_was_added_goes_without_a_trace(body: Any, seed: int, newline: str, data: st.DataObject) -> None:
    text = Writer(Random(seed), newline).document(body)
    _, value = read(text)
    new = copy.deepcopy(value)
    # Lists within lists have nothing by which they are told apart.
    places = [place for place in walk(new) if place and not any(isinstance(inner, list) for inner in place)]
    for number in data.draw(st.lists(st.integers(0, max(0, len(places) - 1)), max_size=3 if places else 0)):
        place = places[number]
        if isinstance(place, dict):
            place[f"added.io/{number}"] = data.draw(VALUES)
        else:
            # Items without a name are told apart by their place only.
            is_named = all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in place)
            at = data.draw(st.integers(0, len(place))) if is_named else len(place)
            place.insert(at, {"name": f"added-{number}", "value": data.draw(VALUES)})
    there = edited(text, new)
    back = edited(there, value)
    assert back in (text, text + newline, text + "\n")
    assert set(text.splitlines()) - set(there.splitlines()) <= {
        line for line in text.splitlines() if "{" in line or "[" in line
    }


def walk(value: Any) -> list[Any]:
    """All mappings and lists of a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(place for part in inner for place in walk(part))] if isinstance(value, dict | list) else []
