"""YAML streams, JSON files and folders of them -> objects. What is broken is told, and never hides the rest."""

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

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, whatever it holds; empty ones are none."""

    file: str
    line: int
    body: Any


@dataclass(frozen=True, slots=True)
class Made:
    """One document of a text, as a `Maker` has made it."""

    line: int
    body: Any


class Broken(Exception):
    """What is wrong with a document, at a line of its file."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Loader(_SafeLoader):
    """YAML as kubectl reads it: what looks like a time is a string, and `1:30` is no number of base 60."""


Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rsplit(":", 1)[-1] not in ("timestamp", "value", "int", "float")
    ]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?0b[0-1_]*[01]|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]*[0-9a-fA-F])$"),
    list("-+0123456789"),
)


class Maker(Protocol):
    """Makes a document's body of its text or of its nodes. Raises `Broken`; None is an empty document."""

    @property
    def loader(self) -> type[Loader]:
        """What composes the nodes."""

    def from_json(self, text: str, line: int) -> Any:
        """Of a JSON text that starts at this line. Raises `orjson.JSONDecodeError` where it is none."""

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> Any:
        """Of a YAML document whose marks count from after so many lines."""


class _Values:
    """The body is the document's value, and no more."""

    loader = Loader

    def from_json(self, text: str, line: int) -> Any:
        return orjson.loads(text)

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> Any:
        return loader.construct_document(node)


VALUES = _Values()


def load(paths: Iterable[str | Path]) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Every object of these files, in their order, and every document that is none.

    A folder means its *.yaml, *.yml and *.json, those below it too, by name; `-` is standard input. Empty documents are
    passed over. A `List` is one object.
    """
    objects: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for path in paths:
        for file in files.expand(path, problems):
            for found in read(file):
                if isinstance(found, Problem):
                    problems.append(found)
                elif isinstance(found.body, dict):
                    objects.append(found.body)
                else:
                    kind = type(found.body).__name__
                    problems.append(Problem(file, found.line, f"a document of type {kind}, want an object"))
    return objects, problems


def read(file: str) -> Iterator[Document | Problem]:
    """The documents of one file (`-` is standard input) in their order: JSON, JSON Lines or a YAML stream."""
    text = files.text(file)
    if isinstance(text, Problem):
        yield text
        return
    for document in documents(text, VALUES):
        if isinstance(document, Broken):
            yield Problem(file, document.line, document.message)
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
    """Each line for itself, a broken one among them; None for YAML: the first line is no JSON, or documents are set
    apart by `---`."""
    if files.SEPARATOR.search(text):
        return None
    found: list[Made | Broken] = []
    # JSON texts hold no raw line breaks but these; U+2028 and its like may stand in strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(Made(number, maker.from_json(line, number)))
            except Broken as broken:
                found.append(broken)
            except orjson.JSONDecodeError as error:
                if not found:
                    return None
                found.append(Broken(number, f"not JSON: {error}"))
    return found


def _piecewise(text: str, maker: Maker, line: int) -> list[Made | Broken]:
    """Each document for itself, as one of them is broken. A line that starts with --- always starts a document."""
    found: list[Made | Broken] = []
    for piece in files.pieces(text):
        try:
            found.extend(_stream(piece, line, maker))
        except Broken as broken:
            found.append(broken)
        line += piece.count("\n")
    return found


def _stream(text: str, before: int, maker: Maker) -> Iterator[Made]:
    """The documents of a YAML stream that starts after `before` lines. Raises `Broken`."""
    line = before
    try:
        loader = maker.loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                assert node is not None  # noqa: S101 - check_node said so
                line = before + node.start_mark.line
                yield Made(line + 1, maker.from_yaml(loader, node, before))
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        raise Broken(before + text.count("\n", 0, error.position) + 1, str(error.reason)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What ends too early is told of the last line, not of the one after it.
        at = before + min(mark.line, text.rstrip().count("\n")) if mark else line
        raise Broken(at + 1, " ".join(part for part in (error.context, error.problem) if part)) from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise Broken(line + 1, str(error) or type(error).__name__) from error
