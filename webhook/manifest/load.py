"""Reads objects from YAML streams, JSON files and folders. Broken documents are reported, and the others are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import yaml

from webhook.manifest import files
from webhook.manifest.files import STDIN as STDIN
from webhook.manifest.files import Problem as Problem
from webhook.yaml.objects import Broken as Broken
from webhook.yaml.objects import Build, Loader, broken

TEMPLATE = "a template, not YAML: render it first (helm template … | linkerd-webhook validate -)"

# The braces of a template where they are not valid YAML: at the start of a line, or as a value without quotes.
_TEMPLATED = re.compile(r"^[ \t]*(?:- +)*(?:[^\s\"'#][^\"'#\n]*:[ \t]+)?(\{\{)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a file, of any type. Empty documents are left out."""

    file: str
    line: int
    body: Any


@dataclass(frozen=True, slots=True)
class Made:
    """A document of a text, with the body that a `Maker` made of it."""

    line: int
    body: Any


class Maker(Protocol):
    """Makes the body of a document from its text or its nodes, None for an empty document. Raises `Broken`."""

    def from_json(self, text: str, line: int) -> Any:
        """The body of a JSON text that starts at this line. Raises `orjson.JSONDecodeError` if it is not JSON."""

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> Any:
        """The body of a YAML document. `before` is the number of lines before its text; its marks and `Broken` count
        from the start of the text."""


class _Values:
    """Makes plain values."""

    def from_json(self, text: str, line: int) -> Any:
        return orjson.loads(text)

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> Any:
        return Build(loader).document(node)


VALUES = _Values()


def load(paths: Iterable[str | Path]) -> tuple[list[dict[str, Any]], list[Problem]]:
    """All objects of these files, in their order, and a problem for each document that is not an object.

    A folder stands for its *.yaml, *.yml and *.json, and those of its subfolders, by name; `-` is standard input. Empty
    documents are ignored. A `List` is one object.
    """
    objects: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for path in paths:
        for file in files.expand(path, problems):
            for document in read(file):
                if isinstance(document, Problem):
                    problems.append(document)
                elif isinstance(document.body, dict):
                    objects.append(document.body)
                else:
                    problems.append(files.not_an_object(file, document.line, document.body))
    return objects, problems


def read(file: str) -> Iterator[Document | Problem]:
    """The documents of one file (`-` is standard input) in their order: JSON, JSON Lines or a YAML stream."""
    text = files.text(file)
    if isinstance(text, Problem):
        yield text
        return
    for document in documents(text, VALUES):
        if isinstance(document, Broken):
            yield Problem(file, document.line, document.message, document.column)
        elif document.body is not None:
            yield Document(file, document.line, document.body)


def documents(text: str, maker: Maker, before: int = 0) -> list[Made | Broken]:
    """The documents of a text, or of a YAML stream that starts after `before` lines."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [Made(1, maker.from_json(text, 1))]
        except Broken as broken:
            return [broken]
        except orjson.JSONDecodeError:
            # JSON Lines, or YAML's flow style: a stream of documents either way.
            lines = _json_lines(text, maker)
            if lines is not None:
                return lines
    try:
        return list(_stream(text, before, maker))
    except Broken:
        return _piecewise(text, maker, before)


def _json_lines(text: str, maker: Maker) -> list[Made | Broken] | None:
    """The documents of JSON Lines, broken lines included. None if the text is YAML: its first line is not JSON, or it
    separates documents by `---`."""
    if files.SEPARATOR.search(text):
        return None
    documents: list[Made | Broken] = []
    # "\n" is the only line break between JSON texts; U+2028 and the like may occur within strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                documents.append(Made(number, maker.from_json(line, number)))
            except Broken as broken:
                documents.append(broken)
            except orjson.JSONDecodeError as error:
                if not documents:
                    return None
                documents.append(Broken(number, f"not JSON: {error.msg}", error.colno))
    return documents


def _piecewise(text: str, maker: Maker, line: int) -> list[Made | Broken]:
    """The documents of a stream in which at least one is broken, each parsed separately."""
    documents: list[Made | Broken] = []
    for piece in files.pieces(text):
        try:
            documents.extend(_stream(piece, line, maker))
        except Broken as broken:
            documents.append(broken)
        line += piece.count("\n")
    return documents


def _stream(text: str, before: int, maker: Maker) -> Iterator[Made]:
    """The documents of a YAML stream that starts after `before` lines. Raises `Broken`."""
    line = 1
    try:
        loader = Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                assert node is not None  # noqa: S101 - check_node said so
                line = node.start_mark.line + 1
                yield Made(before + line, maker.from_yaml(loader, node, before))
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, Broken) as error:
        reason = error if isinstance(error, Broken) else broken(error, text, line)
        raise _templated(text, before) or Broken(before + reason.line, reason.message, reason.column) from None


def _templated(text: str, before: int) -> Broken | None:
    """The reason that the text is not YAML if it is a template that was not rendered, else None."""
    match = _TEMPLATED.search(text)
    if match is None:
        return None
    start = match.start(1)
    return Broken(before + text.count("\n", 0, start) + 1, TEMPLATE, start - text.rfind("\n", 0, start))
