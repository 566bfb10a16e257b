"""Paths of files relative to the root of a repository, with `/`, as code hosts expect them."""

from __future__ import annotations

from pathlib import Path


def relative(file: str) -> str:
    """The path of a file relative to the current folder, in CI the root of the repository. A file outside of it keeps
    its path."""
    path = Path(file)
    here = Path.cwd()
    if path.is_absolute() and path.is_relative_to(here):
        path = path.relative_to(here)
    return path.as_posix()
