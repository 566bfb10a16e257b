"""Composes JSON text into YAML nodes, for the positions of its fields. The values of scalars are left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from webhook.yaml.objects import MAPPING, SEQUENCE
from webhook.yaml.scalars import TEXT

_TOKEN = re.compile(r'[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+)')


def compose(text: str) -> yaml.Node:
    """The root node of a text that must be valid JSON."""
    return _Composer(text).root()


def has_doubles(text: str) -> bool:
    """Whether an object in a JSON text has a key twice."""
    doubled = False

    def entries(pairs: list[tuple[str, Any]]) -> None:
        nonlocal doubled
        doubled = doubled or len(dict(pairs)) != len(pairs)

    json.loads(text, object_pairs_hook=entries, parse_int=str, parse_float=str)
    return doubled


class _Composer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.finditer(text)
        self._line = 0
        self._line_start = 0
        self._upto = 0

    def root(self) -> yaml.Node:
        return self._value(next(self._tokens))

    def _value(self, token: re.Match[str]) -> yaml.Node:
        mark, text = self._mark(token.start(1)), token[1]
        if text == "{":
            return yaml.MappingNode(MAPPING, list(self._entries()), mark, None)
        if text == "[":
            return yaml.SequenceNode(SEQUENCE, list(self._items()), mark, None)
        return yaml.ScalarNode(TEXT, "", mark, None)

    def _entries(self) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        for token in self._tokens:
            if token[1] == "}":
                return
            if token[1] != ",":
                key = yaml.ScalarNode(TEXT, orjson.loads(token[1]), self._mark(token.start(1)), None)
                next(self._tokens)
                yield key, self._value(next(self._tokens))

    def _items(self) -> Iterator[yaml.Node]:
        for token in self._tokens:
            if token[1] == "]":
                return
            if token[1] != ",":
                yield self._value(token)

    def _mark(self, index: int) -> yaml.Mark:
        breaks = self._text.count("\n", self._upto, index)
        if breaks:
            self._line += breaks
            self._line_start = self._text.rindex("\n", self._upto, index) + 1
        self._upto = index
        return yaml.Mark("", index, self._line, index - self._line_start, None, 0)
