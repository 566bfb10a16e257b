"""Files as a repository's own tools call them: from its root, with `/`."""

from __future__ import annotations

from pathlib import Path


def relative(file: str) -> str:
    """A file from the current folder, which in CI is the repository's root; as it is where it lies elsewhere."""
    path = Path(file)
    here = Path.cwd()
    if path.is_absolute() and path.is_relative_to(here):
        path = path.relative_to(here)
    return path.as_posix()
