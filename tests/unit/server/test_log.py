"""The log: lines that are whole, and that nobody waits for."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterator

import orjson
import pytest
import structlog

from tests.serving import LogFile
from webhook.server import log as logs


class Pipe:
    """A pipe as small as the system makes them, and a writer into it."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.reading, False)
        self.writing = writing
        self.writer = logs.Writer(writing, limit=100)

    def read(self) -> bytes:
        """What has arrived."""
        try:
            return os.read(self.reading, 1 << 20)
        except BlockingIOError:
            return b""


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Both ends are closed in the end."""
    result = Pipe()
    yield result
    os.close(result.reading)
    os.close(result.writing)


class TestWriter:
    """Bytes to whoever reads."""

    def test_without_a_loop_a_line_is_written_at_once(self, pipe: Pipe) -> None:
        """At start, when a message may be the last."""
        pipe.writer.write(b"a\n")
        assert pipe.read() == b"a\n"

    async def test_the_lines_of_one_turn_are_written_together_and_in_order(self, pipe: Pipe) -> None:
        """Also where some are rendered only then."""
        pipe.writer.write(b"a\n")
        pipe.writer.defer(lambda: b"b\n")
        pipe.writer.write(b"c\n")
        assert pipe.read() == b""
        await asyncio.sleep(0)
        assert pipe.read() == b"a\nb\nc\n"

    async def test_a_reader_that_does_not_read_costs_lines_and_no_time(self, pipe: Pipe) -> None:
        """And what it reads in the end is whole."""
        for number in range(2000):
            pipe.writer.write(b"%06d %s\n" % (number, b"x" * 92))
            if number % 10 == 0:
                await asyncio.sleep(0)
        assert pipe.writer.dropped > 0
        read = b""
        async with asyncio.timeout(2):
            while pipe.writer._rest or pipe.writer._lines:
                read += pipe.read()
                await asyncio.sleep(0)
        read += pipe.read()
        lines = read.splitlines()
        assert len(lines) + pipe.writer.dropped == 2000
        assert all(len(line) == 99 for line in lines)

    async def test_a_reader_that_is_gone_is_survived(self, pipe: Pipe) -> None:
        """An answer is worth more than its line."""
        os.close(pipe.reading)
        pipe.writer.write(b"a\n")
        await asyncio.sleep(0)
        assert pipe.writer.dropped == 1
        pipe.reading = os.open(os.devnull, os.O_RDONLY)


class TestFormats:
    """What a line looks like."""

    def test_plain_quotes_what_would_break_the_line(self) -> None:
        """A name from outside cannot forge a line."""
        line = logs.render_plain(None, "info", {"event": "a\nb", "name": "x\nlevel=error", "n": 1, "ok": "v", "e": ""})
        assert line.count(b"\n") == 1
        assert line.endswith(b'INFO  "a\\nb" name="x\\nlevel=error" n=1 ok=v e=""\n')

    def test_json_has_the_reference_s_keys(self) -> None:
        """So that what reads Linkerd's logs reads these."""
        event = orjson.loads(logs.render_json(None, "warning", {"event": "hello", "a": ["b"]}))
        assert event.pop("time").endswith("Z")
        assert event == {"level": "warning", "msg": "hello", "a": ["b"]}

    @pytest.mark.parametrize("form", ["plain", "json"])
    def test_what_json_cannot_hold_is_written_all_the_same(self, form: str) -> None:
        """A line of the log must never be what fails."""
        line = logs.RENDERERS[form](None, "info", {"event": "x", "a": "\ud800", "b": 1 << 80, "c": object()})
        assert line.endswith(b"\n")

    def test_a_traceback_follows_a_plain_line(self) -> None:
        """As people expect it."""
        try:
            raise ValueError("boom")
        except ValueError as error:
            text = logs.render_plain(None, "error", {"event": "failed", "exc_info": error}).decode()
        assert text.splitlines()[0].endswith("ERROR failed")
        assert text.endswith("ValueError: boom\n")


class TestConfiguration:
    """Levels, and where lines of libraries go."""

    async def test_libraries_log_through_the_same_writer(self, log_file: LogFile) -> None:
        """At warning and above, unless debugging."""
        logging.getLogger("kubernetes").warning("slow: %s", 3)
        events = await log_file.events()
        assert (events[0]["msg"], events[0]["logger"], events[0]["level"]) == ("slow: 3", "kubernetes", "warning")

    @pytest.mark.parametrize(("level", "said"), [("debug", 2), ("info", 2), ("warn", 1), ("error", 0), ("panic", 0)])
    async def test_a_level_of_linkerd_s_names_leaves_out_what_is_below(
        self, pipe: Pipe, log_file: LogFile, level: str, said: int
    ) -> None:
        """On the hot path too. (`log_file` puts things back as they were.)"""
        lines = logs.configure(level, "json", pipe.writer)
        log = structlog.get_logger()
        log.warning("w")
        log.info("i")
        await asyncio.sleep(0)
        assert len(pipe.read().splitlines()) == said
        lines.info({"event": "h"})
        await asyncio.sleep(0)
        assert len(pipe.read().splitlines()) == (1 if said == 2 else 0)
        lines.debug({"event": "d"})
        await asyncio.sleep(0)
        assert len(pipe.read().splitlines()) == (1 if level == "debug" else 0)
