"""YAML streams, JSON files and folders of them -> objects. What is broken is told, and never hides the rest."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STDIN = "-"

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read: the file (`-` is standard input), the line (from 1; 0 is the file itself), and why."""

    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, whatever it holds; empty ones are none."""

    file: str
    line: int
    body: Any


@dataclass(frozen=True, slots=True)
class _Document:
    line: int
    body: Any


class _Broken(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class _Loader(_SafeLoader):
    """YAML as kubectl reads it: what looks like a time is a string, and `1:30` is no number of base 60."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rsplit(":", 1)[-1] not in ("timestamp", "value", "int", "float")
    ]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?0b[0-1_]*[01]|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]*[0-9a-fA-F])$"),
    list("-+0123456789"),
)


def load(paths: Iterable[str | Path]) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Every object of these files, in their order, and every document that is none.

    A folder means its *.yaml, *.yml and *.json, those below it too, by name; `-` is standard input. Empty documents are
    passed over. A `List` is one object.
    """
    objects: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for path in paths:
        for file in _files(path, problems):
            for found in read(file):
                if isinstance(found, Problem):
                    problems.append(found)
                elif isinstance(found.body, dict):
                    objects.append(found.body)
                else:
                    kind = type(found.body).__name__
                    problems.append(Problem(file, found.line, f"a document of type {kind}, want an object"))
    return objects, problems


def _files(path: str | Path, problems: list[Problem]) -> list[str]:
    folder = Path(path)
    if str(path) == STDIN or not folder.is_dir():
        return [str(path)]
    # Hidden ones are left out: a mounted ConfigMap has all its files twice, once in a folder `..2026_01_01...`.
    files = sorted(
        str(file)
        for file in folder.rglob("*")
        if file.suffix in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not files:
        problems.append(Problem(str(path), 0, "no *.yaml, *.yml or *.json in this folder"))
    return files


def read(file: str) -> Iterator[Document | Problem]:
    """The documents of one file (`-` is standard input) in their order: JSON, JSON Lines or a YAML stream."""
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Problem(file, error.object.count(b"\n", 0, error.start) + 1, "not UTF-8")
        return
    except OSError as error:
        yield Problem(file, 0, error.strerror or str(error))
        return
    for document in _documents(text):
        if isinstance(document, _Broken):
            yield Problem(file, document.line, document.message)
        elif document.body is not None:
            yield Document(file, document.line, document.body)


def _documents(text: str) -> list[_Document | _Broken]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [_Document(1, orjson.loads(text))]
        except orjson.JSONDecodeError:
            # JSON Lines, or YAML's flow style: a stream of documents either way.
            lines = _json_lines(text)
            if lines is not None:
                return lines
    try:
        return list(_stream(text, 0))
    except _Broken:
        return _piecewise(text)


def _json_lines(text: str) -> list[_Document | _Broken] | None:
    """Each line for itself, a broken one among them; None for YAML: the first line is no JSON, or documents are set
    apart by `---`."""
    if _SEPARATOR.search(text):
        return None
    documents: list[_Document | _Broken] = []
    # JSON texts hold no raw line breaks but these; U+2028 and its like may stand in strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                documents.append(_Document(number, orjson.loads(line)))
            except orjson.JSONDecodeError as error:
                if not documents:
                    return None
                documents.append(_Broken(number, f"not JSON: {error}"))
    return documents


def _piecewise(text: str) -> list[_Document | _Broken]:
    """Each document for itself, as one of them is broken. A line that starts with --- always starts a document."""
    documents: list[_Document | _Broken] = []
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text) if match.start())]
    line = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        piece = text[start:end]
        try:
            documents.extend(_stream(piece, line))
        except _Broken as broken:
            documents.append(broken)
        line += piece.count("\n")
    return documents


def _stream(text: str, before: int) -> Iterator[_Document]:
    """The documents of a YAML stream that starts after `before` lines. Raises `_Broken`."""
    line = before
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                assert node is not None  # noqa: S101 - check_node said so
                line = before + node.start_mark.line
                yield _Document(line + 1, loader.construct_document(node))
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        raise _Broken(before + text.count("\n", 0, error.position) + 1, str(error.reason)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What ends too early is told of the last line, not of the one after it.
        at = before + min(mark.line, text.rstrip().count("\n")) if mark else line
        raise _Broken(at + 1, " ".join(part for part in (error.context, error.problem) if part)) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _Broken(line + 1, str(error) or type(error).__name__) from error
