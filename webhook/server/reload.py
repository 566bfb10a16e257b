"""Files that change while the server runs: read again, checked, and put in force or refused.

Kubernetes swaps a symlink (`..data`) beside the files, people write or rename them; so it is the directories that are
watched, and the bytes that are compared. Where watching fails, a slow poll finds the change all the same.
"""

from __future__ import annotations

import asyncio
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

    `prepare` gets their bytes by label in a thread, raises `FilesRefused`, and returns what puts them in force: that
    then runs in the event loop's thread, and may raise `FilesRefused` too. `contents` are in force; `error` says why
    what is on disk (`refused`, if it could be read) is not.
    """

    name: str
    files: Mapping[str, Path]
    prepare: Callable[[Contents], Callable[[], None]]
    contents: Contents = field(default_factory=dict)
    refused: Contents | None = None
    error: str = ""

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
        """Read the files and put them in force at once: at the start. Raises `FilesRefused`."""
        contents = self.read()
        self.prepare(contents)()
        self.contents = contents


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between looks without any notice; before the second look at a broken file; for writes to settle."""

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
        """`reloaded` and `failed` are told the label of each changed file."""
        self.groups = groups
        self._pace = pace or Pace()
        self._reloaded = reloaded
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._run(), name="reload of files")

    async def stop(self) -> None:
        """End the watch."""
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
                    # The next change must be seen all the same.
                    log.error("reloading failed: this is a bug", files=group.name, exc_info=error)

    async def _notices(self) -> AsyncIterator[None]:
        """An item whenever something may have changed: a notice from the system, or the poll's turn."""
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
        """Take a changed group into force, or say why not, after a second look: perhaps somebody was still writing."""
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
        group.error, group.refused, group.contents = "", None, contents

    def _unchanged(self, group: Group) -> None:
        if group.error:
            group.error, group.refused = "", None
            log.info("files have their earlier contents again", files=group.name)

    def _refuse(self, group: Group, contents: Contents, error: str) -> None:
        # What was refused is tried again at each look (a certificate may become valid), but complained of once.
        group.error = error
        if contents == group.refused:
            return
        group.refused = contents
        for label in _changed(group.contents, contents):
            self._failed(label)
        log.error("changed files are refused: the contents from before stay in force", files=group.name, error=error)


def _changed(before: Contents, after: Contents) -> list[str]:
    return [label for label, data in before.items() if after.get(label) != data]
