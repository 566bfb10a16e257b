"""A line on a terminal that moves while a command works, and goes when it is done."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import IO, Any, Final

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES: Final = "|/-\\"
# Seconds until the first frame: what is done sooner shows nothing.
AFTER: Final = 1.0
# Seconds between two frames.
_TICK: Final = 0.1
# Columns of a terminal that does not say how many it has.
_WIDTH: Final = 80
_CLEAR: Final = "\r\x1b[K"


@contextlib.asynccontextmanager
async def spinning(
    text: Callable[[], str],
    stream: IO[Any] | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    enabled: bool = True,
    after: float = AFTER,
) -> AsyncIterator[None]:
    """Show `text()` behind a spinner on `stream` (standard error by default) while the block runs, from `after` seconds
    on, if that is a terminal that can clear a line; else do nothing, and nothing unless `enabled`."""
    stream = sys.stderr if stream is None else stream
    if not enabled or not _is_terminal(stream) or environment.get("TERM") in ("dumb", ""):
        yield
        return
    task = asyncio.create_task(_spin(text, stream, after), name="spinner")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _spin(text: Callable[[], str], stream: IO[Any], after: float) -> None:
    utf8 = (getattr(stream, "encoding", "") or "").lower().startswith("utf")
    frames = _FRAMES if utf8 else _PLAIN_FRAMES
    await asyncio.sleep(after)
    try:
        for frame in itertools.cycle(frames):
            # What does not fit into a line could not be cleared.
            line = "".join(character for character in text() if character.isprintable())[: _width(stream) - 3]
            _write(stream, f"{_CLEAR}{frame} {line}")
            await asyncio.sleep(_TICK)
    finally:
        _write(stream, _CLEAR)


def _write(stream: IO[Any], text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()


def _width(stream: IO[Any]) -> int:
    try:
        # A terminal that does not know its width says 0.
        return max(os.get_terminal_size(stream.fileno()).columns or _WIDTH, 20)
    except (OSError, ValueError, AttributeError):
        return _WIDTH


def _is_terminal(stream: IO[Any]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False
