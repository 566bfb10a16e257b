"""What a user is told of a mistake in this program: one failure must not take everything else along."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]


def internal_error(error: BaseException) -> str:
    """A sentence about an exception that nobody expected: its type and its place in the program, and to report it."""
    place = next((text for text in map(_place, reversed(traceback.extract_tb(error.__traceback__))) if text), "")
    where = f" at {place}" if place else ""
    return (
        f"an error inside linkerd-webhook ({type(error).__name__}{where}): it says nothing about the cluster: "
        "report it to those who maintain linkerd-webhook, with this line and what linkerd-webhook --version prints"
    )


def _place(frame: traceback.FrameSummary) -> str:
    """File and line, "" where the file is not one of this program's rooms."""
    path = Path(frame.filename)
    inside = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else Path()
    return f"{inside}:{frame.lineno}" if inside.parts[:1] in (("webhook",), ("certs",)) else ""
