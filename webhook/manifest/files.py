"""The files that a path refers to, their text, and where YAML documents begin in it."""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STDIN = "-"

SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)


class Problem(NamedTuple):
    """A file or a part of it that could not be read. `file` is `-` for standard input; `line` and `column` count from
    1, and are 0 for the file, or the line, as a whole; `message` says why."""

    file: str
    line: int
    message: str
    column: int = 0

    @property
    def place(self) -> str:
        """Where it is: `web.yaml:3:7`."""
        file = "standard input" if self.file == "-" else self.file
        return ":".join((file, *(str(number) for number in (self.line, self.column) if number)))

    @property
    def text(self) -> str:
        """Where it is, and why."""
        return f"{self.place}: {self.message}"


def not_an_object(file: str, line: int, body: object) -> Problem:
    """The problem with a document that is not an object."""
    kind = {list: "a list", str: "a text", bool: "a boolean"}.get(type(body), "a number")
    return Problem(file, line, f"this document is {kind}: write an object, of lines with key: value")


def expand(path: str | os.PathLike[str], problems: list[Problem]) -> list[str]:
    """The files that a path refers to. A folder without manifests is added to `problems`."""
    # Here and below, `os` in place of pathlib, whose import takes a noticeable part of the time of a short command.
    if os.fspath(path) == STDIN or not os.path.isdir(path):  # noqa: PTH112
        return [os.fspath(path)]
    from pathlib import Path

    folder = Path(path)
    # Hidden files are left out: a mounted ConfigMap has all its files twice, once in a folder `..2026_01_01...`.
    manifests = sorted(
        str(file)
        for file in folder.rglob("*")
        if file.suffix in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not manifests:
        problems.append(Problem(str(path), 0, "no *.yaml, *.yml or *.json in this folder"))
    return manifests


def text(file: str) -> str | Problem:
    """The text of one file; `-` is standard input."""
    try:
        data = sys.stdin.buffer.read() if file == STDIN else _bytes(file)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        from webhook.yaml.wording import undecodable

        line, column, message = undecodable(error)
        return Problem(file, line, message, column)
    except OSError as error:
        return Problem(file, 0, error.strerror or str(error))


def _bytes(file: str) -> bytes:
    with open(file, "rb") as stream:  # noqa: PTH123
        return stream.read()


def pieces(text: str) -> list[str]:
    """The documents of a YAML stream, each with the line that begins it. A line that starts with --- begins one."""
    starts = [0, *(match.start() for match in SEPARATOR.finditer(text) if match.start())]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
