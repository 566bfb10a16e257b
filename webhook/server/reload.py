"""Reloads files that change while the server runs: checks the new contents, and applies or refuses them.

Kubernetes replaces mounted files by a symlink (`..data`) beside them, and people write or rename files. So directories
are watched, and contents are compared. If watching fails, the files are read every `Pace.poll` seconds.
https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from watchfiles import awatch

log = structlog.get_logger(__name__)

Contents = dict[str, bytes]


class FilesRefused(Exception):
    """Contents of files that must not take effect: the message names the file and says why."""


@dataclass(slots=True)
class Group:
    """Files that are only valid together.

    `prepare` is called in a thread with their contents by label. It raises `FilesRefused`, or returns a function that
    applies them, which is then called in the event loop's thread and may raise `FilesRefused` as well. `contents` are
    those in effect, and `read_at` is when they were read, in seconds since 1970. `error` says why the contents on disk
    are not in effect, and `refused` are these contents, if they could be read.
    """

    name: str
    files: Mapping[str, Path]
    prepare: Callable[[Contents], Callable[[], None]]
    contents: Contents = field(default_factory=dict)
    refused: Contents | None = None
    error: str = ""
    read_at: float = 0.0

    def read(self) -> Contents:
        """The bytes of all files. Raises `FilesRefused`."""
        contents = {}
        for label, path in self.files.items():
            try:
                contents[label] = path.read_bytes()
            except OSError as error:
                raise FilesRefused(f"{path}: {error.strerror or error}") from error
        return contents

    def load(self) -> None:
        """Read the files and apply them at once, when the server starts. Raises `FilesRefused`."""
        contents = self.read()
        self.prepare(contents)()
        self.contents, self.read_at = contents, time.time()


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two reads without a notification, before a refused file is read again, and for writes to end."""

    poll: float = 30.0
    second_look: float = 0.5
    settle: float = 0.2


class Reloader:
    """Keeps groups of files up to date from `start` to `stop`."""

    def __init__(
        self,
        groups: list[Group],
        pace: Pace | None = None,
        reloaded: Callable[[str], None] = lambda _: None,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`reloaded` and `failed` are called with the label of each changed file that was applied or refused."""
        self.groups = groups
        self._pace = pace or Pace()
        self._reloaded = reloaded
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start to watch the files."""
        self._task = asyncio.create_task(self._run(), name="reload of files")

    async def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async for _ in self._notices():
            for group in self.groups:
                try:
                    await self._check(group)
                except Exception as error:
                    # An error must not end the watch.
                    log.error("reloading failed: this is a bug", files=group.name, exc_info=error)

    async def _notices(self) -> AsyncIterator[None]:
        """Yields whenever a file may have changed: after a notification of the system, or when a poll is due."""
        directories = sorted({str(path.parent) for group in self.groups for path in group.files.values()})
        while True:
            try:
                async for _ in awatch(
                    *directories,
                    watch_filter=None,
                    recursive=False,
                    debounce=1000,
                    step=int(self._pace.settle * 1000),
                    rust_timeout=int(self._pace.poll * 1000),
                    yield_on_timeout=True,
                    stop_event=self._stopping,
                ):
                    yield
            except (OSError, RuntimeError) as error:
                log.warning(
                    "files cannot be watched for changes, so they are read every poll_s seconds",
                    poll_s=self._pace.poll,
                    error=str(error),
                )
            await asyncio.sleep(self._pace.poll)
            yield

    async def _check(self, group: Group, again: bool = False) -> None:
        """Apply a changed group. A refused group is read a second time, as it may be half written, and then logged."""
        contents: Contents = {}
        try:
            contents = group.read()
            if contents == group.contents:
                self._unchanged(group)
                return
            (await asyncio.to_thread(group.prepare, contents))()
        except FilesRefused as error:
            if contents != group.refused and not again:
                await asyncio.sleep(self._pace.second_look)
                await self._check(group, again=True)
            else:
                self._refuse(group, contents, str(error))
            return
        for label in _changed(group.contents, contents):
            self._reloaded(label)
        log.info("files were reloaded", files=group.name, recovered=bool(group.error))
        group.error, group.refused, group.contents, group.read_at = "", None, contents, time.time()

    def _unchanged(self, group: Group) -> None:
        if group.error:
            group.error, group.refused = "", None
            log.info("files have their earlier contents again", files=group.name)

    def _refuse(self, group: Group, contents: Contents, error: str) -> None:
        # Refused contents are checked again at each poll (a certificate may become valid), and logged once.
        group.error = error
        if contents == group.refused:
            return
        group.refused = contents
        for label in _changed(group.contents, contents):
            self._failed(label)
        log.error("changed files are refused: the earlier contents stay in effect", files=group.name, error=error)


def _changed(before: Contents, after: Contents) -> list[str]:
    return [label for label, data in before.items() if after.get(label) != data]
