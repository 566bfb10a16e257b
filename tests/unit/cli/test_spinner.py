"""The line that moves while a command works."""

from __future__ import annotations

import asyncio
import io

import pytest

from webhook.cli.spinner import AFTER, spinning


class Terminal(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is one."""
        return True


async def shown(
    stream: io.StringIO, text: str = "reading pods", enabled: bool = True, term: str = "xterm", after: float = 0.0
) -> str:
    """What was written while something worked."""
    async with spinning(lambda: text, stream, {"TERM": term}, enabled=enabled, after=after):
        await asyncio.sleep(0.01)
    return stream.getvalue()


async def test_a_terminal_shows_it_and_is_left_clean() -> None:
    written = await shown(Terminal())
    assert "⠋ reading pods" in written
    assert written.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    "how", [{"stream": io.StringIO()}, {"stream": Terminal(), "enabled": False}, {"stream": Terminal(), "term": "dumb"}]
)
async def test_nothing_is_written_elsewhere(how: dict[str, object]) -> None:
    assert await shown(**how) == ""  # type: ignore[arg-type]


async def test_what_is_done_within_a_second_shows_nothing() -> None:
    assert AFTER == 1.0
    assert await shown(Terminal(), after=AFTER) == ""


async def test_a_name_cannot_send_codes_to_the_terminal() -> None:
    assert "\x1b]0;" not in await shown(Terminal(), "reading \x1b]0;evil\x07")


async def test_a_line_is_no_longer_than_the_terminal() -> None:
    assert "x" * 78 not in await shown(Terminal(), "x" * 500)


async def test_it_ends_with_an_exception_too() -> None:
    stream = Terminal()
    with pytest.raises(RuntimeError):
        async with spinning(lambda: "x", stream, {"TERM": "xterm"}, after=0.0):
            await asyncio.sleep(0.01)
            raise RuntimeError
    assert stream.getvalue().endswith("\r\x1b[K")
