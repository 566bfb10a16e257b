"""The files that a path means, and their text. Knows nothing of what is in them, but where YAML documents begin."""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STDIN = "-"

SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)


class Problem(NamedTuple):
    """What could not be read: the file (`-` is standard input), the line (from 1; 0 is the file itself), and why."""

    file: str
    line: int
    message: str


def expand(path: str | os.PathLike[str], problems: list[Problem]) -> list[str]:
    """The files that a path means; a folder without any is added to the problems."""
    # `os`, here and below: a command that is over at once has no time to import pathlib where there is no folder.
    if os.fspath(path) == STDIN or not os.path.isdir(path):  # noqa: PTH112
        return [os.fspath(path)]
    from pathlib import Path

    folder = Path(path)
    # Hidden ones are left out: a mounted ConfigMap has all its files twice, once in a folder `..2026_01_01...`.
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
        return Problem(file, error.object.count(b"\n", 0, error.start) + 1, "not UTF-8")
    except OSError as error:
        return Problem(file, 0, error.strerror or str(error))


def _bytes(file: str) -> bytes:
    with open(file, "rb") as stream:  # noqa: PTH123
        return stream.read()


def pieces(text: str) -> list[str]:
    """A YAML stream in its documents, each with the line that begins it. A line that starts with --- always does."""
    starts = [0, *(match.start() for match in SEPARATOR.finditer(text) if match.start())]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
