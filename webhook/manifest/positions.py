"""Manifests with the line and column of each field.

The text is parsed once. Positions cost nothing until they are needed: those of YAML are in the nodes, which are kept;
JSON is composed into nodes when its first position is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import yaml

from webhook.manifest import files, jsonnodes, load, nodes
from webhook.manifest.files import Problem
from webhook.yaml.objects import Broken, Build, Loader

Path = tuple[str | int, ...]


# What was found in a document, by each of the fields that it is below.
_Found = dict[Path, list[tuple[Path, str]]]


def _by_parent(entries: list[tuple[Path, str]]) -> _Found:
    by_parent: _Found = {}
    for path, entry in entries:
        for length in range(len(path) + 1):
            by_parent.setdefault(path[:length], []).append((path, entry))
    return by_parent


class Position(NamedTuple):
    """Line and column in a file, both from 1."""

    line: int
    column: int


class Located:
    """A document: its value in `body`, and the positions of its fields."""

    __slots__ = (
        "_before",
        "_characters",
        "_doubled",
        "_doubles",
        "_json_text",
        "_root",
        "_tagged",
        "_tags",
        "_unseen",
        "body",
        "file",
    )

    def __init__(
        self,
        file: str,
        body: Any,
        before: int,
        root: yaml.Node | None = None,
        json_text: str = "",
        doubled: bool = False,
        tagged: bool = False,
        unseen: bool = False,
    ) -> None:
        """`before`: the number of lines before its text. Pass `root`, or `json_text`, from which the nodes are composed
        when they are needed. `doubled`: whether a mapping has a key more than once. `tagged`: whether values
        may have tags. `unseen`: whether the text has characters beyond ASCII."""
        self.file = file
        self.body = body
        self._before = before
        self._json_text = json_text
        self._root = root
        self._doubled = doubled
        self._tagged = tagged
        self._unseen = unseen
        self._doubles: dict[Path, list[Path]] | None = None
        self._tags: _Found | None = None
        self._characters: _Found | None = None

    def position(self, path: Path) -> Position:
        """The position of a field: of its key in a mapping, of the item in a list. If the field does not exist, it is
        the position of its nearest parent that does."""
        mark = nodes.find(self._nodes(), path).start_mark
        assert mark is not None  # noqa: S101 - every node here comes from a text
        return Position(self._before + mark.line + 1, mark.column + 1)

    def doubles(self, below: Path = ()) -> list[Path]:
        """The keys, below a field, that a mapping has more than once."""
        if not self._doubled:
            return []
        if self._doubles is None:
            self._doubles = {}
            for path in nodes.doubles(self._nodes()):
                for length in range(len(path)):
                    self._doubles.setdefault(path[:length], []).append(path)
        return self._doubles.get(below, [])

    def tags(self, below: Path = ()) -> list[tuple[Path, str]]:
        """The fields, below a field, whose value has a tag that YAML does not define, and the tag."""
        if not self._tagged:
            return []
        if self._tags is None:
            self._tags = _by_parent(nodes.foreign_tags(self._nodes()))
        return self._tags.get(below, [])

    def unseen(self, below: Path = ()) -> list[tuple[Path, str]]:
        """The fields, below a field, that begin or end with a character that cannot be seen, and the character."""
        if not self._unseen:
            return []
        if self._characters is None:
            self._characters = _by_parent(nodes.unseen(self._nodes()))
        return self._characters.get(below, [])

    def _nodes(self) -> yaml.Node:
        if self._root is None:
            self._root = jsonnodes.compose(self._json_text)
            self._json_text = ""
        return self._root


class _Maker:
    """Makes `Located` documents."""

    def __init__(self, file: str, *, unseen: bool) -> None:
        self._file = file
        self._unseen = unseen

    def from_json(self, text: str, line: int) -> Located | None:
        body = orjson.loads(text)
        try:
            orjson.dumps(body)
        except orjson.JSONEncodeError:
            raise Broken(line, "nested more than 250 levels deep: write fewer levels") from None
        if body is None:
            return None
        return Located(self._file, body, line - 1, json_text=text, doubled=jsonnodes.has_doubles(text))

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> Located | None:
        build = Build(loader)
        body = build.document(node)
        if body is None:
            return None
        return Located(self._file, body, before, node, doubled=build.doubled, tagged=loader.tagged, unseen=self._unseen)


def read(file: str) -> Iterator[Located | Problem]:
    """The documents of one file (`-` is standard input) in their order: JSON, JSON Lines or a YAML stream."""
    text = files.text(file)
    if isinstance(text, Problem):
        yield text
        return
    for document in load.documents(text, _Maker(file, unseen=not text.isascii())):
        if isinstance(document, Broken):
            yield Problem(file, document.line, document.message, document.column)
        elif document.body is not None:
            yield document.body
