"""Logs to standard error, one line per event, in the formats of Linkerd's own programs (logrus' `plain` and `json`).

Logging never blocks the event loop. Lines are collected for one turn of the loop and written together. If the reader of
standard error does not keep up, lines are dropped and counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import select
import stat
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, MutableMapping
from functools import partial
from typing import Any

import orjson
import structlog

# Linkerd's names of the levels. At `panic` and `fatal`, only what ends the process is logged.
LEVELS: Mapping[str, int] = {
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}

Event = MutableMapping[str, Any]

# A pipe that polls as writable takes this much without blocking (PIPE_BUF on Linux).
_CHUNK = 4096
_RETRY_SECONDS = 0.05


class Writer:
    """Writes lines to a file descriptor without blocking the event loop."""

    def __init__(self, fd: int = 2, limit: int = 4096) -> None:
        """`limit`: the number of lines that may wait for the reader."""
        self.dropped = 0
        self._fd = fd
        self._limit = limit
        self._lines: list[bytes | Callable[[], bytes]] = []
        self._rest = b""
        self._scheduled = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        mode = os.fstat(fd).st_mode
        self._chunk = _CHUNK if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else sys.maxsize

    def write(self, line: bytes) -> None:
        """Write a line that ends with a newline: on the event loop's next turn, or at once if no loop runs."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # Before or after the loop, or in another thread: only the loop's thread may touch the collected lines.
            self._write_all(line)
        else:
            self.defer(line)

    def defer(self, line: bytes | Callable[[], bytes]) -> None:
        """As `write`, in the loop's thread only. A callable is called for the line when it is written."""
        if len(self._lines) >= self._limit:
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def flush(self) -> None:
        """Write all remaining lines, however long it takes. Call it when the process ends."""
        self._write_all(self._collected())
        self._rest = b""

    def _collected(self) -> bytes:
        lines, self._lines = self._lines, []
        return self._rest + b"".join([line if type(line) is bytes else line() for line in lines])  # type: ignore[operator]

    def _write_all(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self.dropped += 1

    def _drain(self) -> None:
        """Write as much as is possible without blocking."""
        if self._rest and not self._poll.poll(0):
            self._retry_later()
            return
        self._scheduled = False
        data = self._collected()
        while data:
            if not self._poll.poll(0):
                self._retry_later()
                break
            try:
                data = data[os.write(self._fd, data[: self._chunk]) :]
            except BlockingIOError:
                continue
            except OSError:
                # The reader has gone away: requests are answered without a log.
                self.dropped += 1
                data = b""
        self._rest = data

    def _retry_later(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._drain)


class Lines:
    """The log for the path of admission requests: the same lines as structlog writes, at a lower cost.

    Lines are rendered after the answers were sent, several at a time, which costs half as much.
    """

    def __init__(self, writer: Writer, level: str = "info", form: str = "plain") -> None:
        self._writer = writer
        self._enabled = LEVELS[level] <= logging.INFO
        self._all = LEVELS[level] <= logging.DEBUG
        self._render = RENDERERS[form]

    @property
    def dropped(self) -> int:
        """The number of lines that were dropped because they were not read in time."""
        return self._writer.dropped

    def info(self, event: Event) -> None:
        """Log an event, its text under `event`. Call it in the loop's thread, and do not change the dict afterwards."""
        if self._enabled:
            event["time"] = _now()
            self._writer.defer(partial(self._render, None, "info", event))

    def debug(self, event: Event) -> None:
        """As `info`, at level debug."""
        if self._all:
            event["time"] = _now()
            self._writer.defer(partial(self._render, None, "debug", event))

    def flush(self) -> None:
        """Write all remaining lines, however long it takes. Call it when the process ends."""
        self._writer.flush()


class _Target:
    """The logger that structlog passes rendered lines to, after it has checked the level."""

    def __init__(self, writer: Writer) -> None:
        self.msg = writer.write

    def __getattr__(self, name: str) -> Any:
        return self.msg


def render_json(_logger: Any, method: str, event: Event) -> bytes:
    """The event as one line of JSON, with logrus' keys `time`, `level`, `msg`."""
    line: dict[str, Any] = {
        "time": event.pop("time", None) or _now(),
        "level": method,
        "msg": event.pop("event", ""),
    }
    _exception(event)
    line.update(event)
    return _json(line) + b"\n"


def _json(value: Any) -> bytes:
    """Any value as JSON: writing a log line must not fail."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # A lone surrogate or a huge integer, which orjson refuses.
        return json.dumps(value, default=str).encode()


_PLAIN = re.compile(r"[!#-<>-~]+").fullmatch
_WITHOUT_QUOTES = frozenset((str, int, float))


def _is_plain(values: Collection[Any]) -> bool:
    """Whether no value of an event needs quotes, but for empty texts: nearly all lines are such."""
    return _WITHOUT_QUOTES.issuperset(map(type, values)) and bool(_PLAIN("".join(map(str, values))))


def _plain(value: Any) -> str:
    if type(value) in _WITHOUT_QUOTES and _PLAIN(str(value)):
        return str(value)
    return _json(value).decode()


def render_plain(_logger: Any, method: str, event: Event) -> bytes:
    """The event as text: time, level, message, then `key=value`, with the value in quotes where necessary."""
    text = str(event.pop("event", ""))
    if "\n" in text or "\r" in text:
        text = _json(text).decode()
    parts = [event.pop("time", None) or _now(), _LABELS.get(method, method), text]
    trace = _exception(event)
    if _is_plain(event.values()):
        parts += [f"{key}={value}" if value != "" else f'{key}=""' for key, value in event.items()]
    else:
        parts += [f"{key}={_plain(value)}" for key, value in event.items() if key != "traceback"]
    line = " ".join(parts)
    if trace:
        line = f"{line}\n{trace.rstrip()}"
    return f"{line}\n".encode("utf-8", "replace")


RENDERERS: Mapping[str, Callable[[Any, str, Event], bytes]] = {"plain": render_plain, "json": render_json}

_LABELS = {
    "debug": "DEBUG",
    "info": "INFO ",
    "warning": "WARN ",
    "error": "ERROR",
    "critical": "FATAL",
}

_second = 0
_stamp = ""


def _now() -> str:
    """RFC 3339 in UTC with milliseconds; the seconds are formatted once a second."""
    global _second, _stamp
    now = time.time()
    second = int(now)
    if second != _second:
        _stamp = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        _second = second
    return f"{_stamp}{int((now - second) * 1000):03d}Z"


def _exception(event: Event) -> str:
    """Replace `exc_info` by its text under `traceback`; returns the text, "" if there is no exception."""
    error = event.pop("exc_info", None)
    if error is None or error is False:
        return ""
    if error is True:
        text = traceback.format_exc()
    elif isinstance(error, BaseException):
        text = "".join(traceback.format_exception(error))
    else:
        text = "".join(traceback.format_exception(*error))
    event["traceback"] = text
    return text


def configure(level: str = "info", form: str = "plain", writer: Writer | None = None) -> Lines:
    """Make every logger write through `writer`, by default to standard error.

    Raises KeyError for a level or format that `LEVELS` or `RENDERERS` lack.
    """
    target = writer or Writer()
    structlog.configure(
        processors=[RENDERERS[form]],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
        logger_factory=lambda *_: _Target(target),
        cache_logger_on_first_use=False,
    )
    _capture_libraries(level)
    return Lines(target, level, form)


class _Bridge(logging.Handler):
    """Passes the log records of libraries, which use Python's logging module, to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; never raises."""
        try:
            log = structlog.get_logger()
            log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:
            self.handleError(record)


def _capture_libraries(level: str) -> None:
    """Pass log records of libraries to structlog: warnings and errors, and everything at level debug."""
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.DEBUG if LEVELS[level] <= logging.DEBUG else max(LEVELS[level], logging.WARNING))
    # Bad requests are counted. uvicorn would log a line for each of them, with which a client could fill the disk.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
