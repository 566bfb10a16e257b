"""Files that change: taken into force, or left aside and complained of."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from watchfiles._rust_notify import RustNotify

from certs.issue import CertificateAndKey, issue_leaf
from tests.serving import JSON, LogFile, Serving, review
from tests.waiting import until
from webhook.server.certificate_files import CertificateFiles
from webhook.server.reload import Contents, FilesRefused, Group, Pace, Reloader

FAST = Pace(poll=30, second_look=0.05, settle=0.02)


class Mounted:
    """A folder as the kubelet mounts a Secret or a ConfigMap: files are links into `..data`, a link that is swapped."""

    def __init__(self, folder: Path, **files: bytes) -> None:
        self.folder = folder
        self._version = 0
        self.swap(**files)
        for name in files:
            (folder / name.replace("_", ".")).symlink_to(Path("..data") / name.replace("_", "."))

    def swap(self, **files: bytes) -> None:
        """Put new contents in place of all old ones, in one step."""
        self._version += 1
        target = self.folder / f"..2026_{self._version}"
        target.mkdir()
        for name, content in files.items():
            (target / name.replace("_", ".")).write_bytes(content)
        link = self.folder / "..data_tmp"
        link.symlink_to(target.name)
        os.replace(link, self.folder / "..data")


class Watched:
    """A group of one file, `good*` in which is taken and everything else refused."""

    def __init__(self, path: Path, pace: Pace = FAST) -> None:
        self.path = path
        self.taken: list[bytes] = []
        self.counted: list[tuple[str, str]] = []
        self.refusing: Callable[[], object] = lambda: None
        path.write_bytes(b"good 1")
        self.group = Group("settings", {"values": path}, self._prepare)
        self.reloader = Reloader(
            [self.group],
            pace,
            reloaded=lambda file: self.counted.append(("reloaded", file)),
            failed=lambda file: self.counted.append(("failed", file)),
        )

    def _prepare(self, contents: Contents) -> Callable[[], None]:
        content = contents["values"]
        if not content.startswith(b"good"):
            self.refusing()
            raise FilesRefused(f"{self.path}: no good")
        return lambda: self.taken.append(content)


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once the system has been asked for notices: what is written from then on is noticed."""
    begun = asyncio.Event()

    def asked(*arguments: Any) -> Any:
        notices = RustNotify(*arguments)
        begun.set()
        return notices

    monkeypatch.setattr("watchfiles.main.RustNotify", asked)
    return begun


@pytest.fixture
async def watched(tmp_path: Path, watching: asyncio.Event) -> AsyncIterator[Watched]:
    """Loaded and watched."""
    folder = tmp_path / "files"
    folder.mkdir()
    result = Watched(folder / "values")
    result.group.load()
    result.reloader.start()
    await watching.wait()
    yield result
    await result.reloader.stop()


async def test_a_file_that_is_written_anew_is_taken(watched: Watched) -> None:
    """And counted by its label."""
    watched.path.write_bytes(b"good 2")
    await until(lambda: watched.taken == [b"good 1", b"good 2"])
    await until(lambda: watched.counted == [("reloaded", "values")])


async def test_a_file_that_is_replaced_by_renaming_is_taken(watched: Watched) -> None:
    """As editors do it."""
    other = watched.path.with_name("new")
    other.write_bytes(b"good 2")
    other.rename(watched.path)
    await until(lambda: b"good 2" in watched.taken)


async def test_a_broken_file_is_refused_said_counted_and_forgotten_once_it_is_mended(
    watched: Watched, log_file: LogFile
) -> None:
    """What was before stays in force meanwhile."""
    watched.path.write_bytes(b"bad")
    await until(lambda: watched.group.error)
    assert watched.group.error == f"{watched.path}: no good"
    assert watched.taken == [b"good 1"]
    assert watched.counted == [("failed", "values")]
    watched.path.write_bytes(b"good 2")
    await until(lambda: not watched.group.error)
    assert watched.taken[-1] == b"good 2"
    events = await log_file.events()
    assert [event["level"] for event in events if event["msg"].startswith("changed files are refused")] == ["error"]
    assert [event["recovered"] for event in events if event["msg"] == "files were reloaded"] == [True]


async def test_a_broken_file_that_is_put_back_as_it_was_is_well_again(watched: Watched) -> None:
    """Nothing needs to be taken then."""
    watched.path.write_bytes(b"bad")
    await until(lambda: watched.group.error)
    watched.path.write_bytes(b"good 1")
    await until(lambda: not watched.group.error)
    assert watched.taken == [b"good 1"]


async def test_a_file_that_vanishes_is_an_error_that_names_it(watched: Watched) -> None:
    """And keeps what was read before."""
    watched.path.unlink()
    await until(lambda: watched.group.error)
    assert str(watched.path) in watched.group.error
    assert "No such file" in watched.group.error


async def test_a_half_written_file_is_looked_at_again_before_it_is_complained_of(watched: Watched) -> None:
    """Not every writer swaps links."""
    watched.refusing = lambda: watched.path.write_bytes(b"good 2")
    watched.path.write_bytes(b"")
    await until(lambda: b"good 2" in watched.taken)
    assert ("failed", "values") not in watched.counted


async def test_a_change_without_a_notice_is_found_by_the_poll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems send none."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("no inotify instances left")

    monkeypatch.setattr("webhook.server.reload.awatch", broken)
    watched = Watched(tmp_path / "values", Pace(poll=0.05, second_look=0.01, settle=0.01))
    watched.group.load()
    watched.reloader.start()
    watched.path.write_bytes(b"good 2")
    await until(lambda: b"good 2" in watched.taken)
    await watched.reloader.stop()


async def test_a_certificate_is_swapped_under_load_without_a_failed_request(
    serving: Serving, ca: CertificateAndKey, leaf: CertificateAndKey, tmp_path: Path, watching: asyncio.Event
) -> None:
    """By the link that Kubernetes swaps, with clients that connect anew for each request and one that stays."""
    site = await serving()
    folder = tmp_path / "tls"
    folder.mkdir()
    mounted = Mounted(folder, tls_crt=leaf.certificate, tls_key=leaf.key)
    group = CertificateFiles(folder, site.certificate).group
    group.load()
    reloader = Reloader([group], FAST)
    reloader.start()
    await watching.wait()
    done = asyncio.Event()
    statuses: list[int] = []

    async def load(fresh: bool) -> None:
        client = site.client()
        while not done.is_set():
            if fresh:
                client = site.client()
            statuses.append((await client.post("/", content=review(), headers=JSON)).status_code)

    tasks = [asyncio.create_task(load(fresh)) for fresh in (True, True, False)]
    for _ in range(3):
        before = site.certificate.leaf

        def renewed(before: object = before) -> bool:
            return site.certificate.leaf is not before

        pair = issue_leaf(ca, ["localhost", "127.0.0.1"])
        mounted.swap(tls_crt=pair.certificate, tls_key=pair.key)
        await until(renewed)
        answered = len(statuses)
        await until(partial(lambda count: len(statuses) >= count, answered + 6))
    mounted.swap(tls_crt=issue_leaf(ca, ["localhost"]).certificate, tls_key=leaf.key)
    await until(lambda: "does not belong" in group.error)
    assert str(folder / "tls.key") in group.error
    done.set()
    await asyncio.gather(*tasks)
    await reloader.stop()
    assert len(statuses) > 20
    assert set(statuses) == {200}


class Together:
    """Two files that belong together, looked at when the test says so; `broken` in either is refused."""

    def __init__(self, folder: Path) -> None:
        self.one, self.two = folder / "one", folder / "two"
        self.one.write_bytes(b"1")
        self.two.write_bytes(b"1")
        self.prepared: list[Contents] = []
        self.taken: list[Contents] = []
        self.counted: list[tuple[str, str]] = []
        self.group = Group("pair", {"one": self.one, "two": self.two}, self._prepare)
        self.reloader = Reloader(
            [self.group],
            Pace(second_look=0.0),
            reloaded=lambda file: self.counted.append(("reloaded", file)),
            failed=lambda file: self.counted.append(("failed", file)),
        )
        self.group.load()
        self.prepared.clear()
        self.taken.clear()

    def _prepare(self, contents: Contents) -> Callable[[], None]:
        self.prepared.append(contents)
        if b"broken" in b"".join(contents.values()):
            raise FilesRefused("broken")
        return lambda: self.taken.append(contents)

    async def look(self) -> list[tuple[str, str]]:
        """What one look counts."""
        self.counted.clear()
        await self.reloader._check(self.group)
        return list(self.counted)


class TestFilesThatBelongTogether:
    """One look at them."""

    @pytest.fixture
    def pair(self, tmp_path: Path) -> Together:
        """Loaded."""
        return Together(tmp_path)

    async def test_without_a_change_nothing_is_prepared_or_counted(self, pair: Together) -> None:
        assert await pair.look() == []
        assert (pair.prepared, pair.taken) == ([], [])

    async def test_both_are_taken_and_the_changed_one_is_counted(self, pair: Together) -> None:
        pair.two.write_bytes(b"2")
        assert await pair.look() == [("reloaded", "two")]
        assert pair.taken == [{"one": b"1", "two": b"2"}]
        assert pair.group.contents == pair.taken[0]
        assert await pair.look() == []

    async def test_one_that_is_broken_holds_up_the_other_and_is_complained_of_once(self, pair: Together) -> None:
        pair.one.write_bytes(b"broken")
        assert await pair.look() == [("failed", "one")]
        assert (pair.group.error, pair.group.refused) == ("broken", {"one": b"broken", "two": b"1"})
        assert len(pair.prepared) == 2, "it is looked at twice before it is complained of"
        assert await pair.look() == []
        assert len(pair.prepared) == 3, "what was refused is tried again, once a look"
        pair.two.write_bytes(b"2")
        assert await pair.look() == [("failed", "one"), ("failed", "two")]
        assert pair.taken == []
        assert pair.group.contents == {"one": b"1", "two": b"1"}

    async def test_what_was_refused_is_taken_once_it_is_good_though_it_did_not_change(self, pair: Together) -> None:
        """A certificate becomes valid, say."""
        pair.one.write_bytes(b"broken")
        await pair.look()
        pair._prepare = lambda contents: lambda: pair.taken.append(contents)  # type: ignore[method-assign]
        pair.group.prepare = pair._prepare
        assert await pair.look() == [("reloaded", "one")]
        assert (pair.group.error, pair.group.refused) == ("", None)

    async def test_what_is_put_back_is_no_change_and_no_error(self, pair: Together) -> None:
        pair.one.write_bytes(b"broken")
        await pair.look()
        pair.one.write_bytes(b"1")
        assert await pair.look() == []
        assert (pair.group.error, pair.group.refused) == ("", None)
        pair.one.write_bytes(b"broken")
        assert await pair.look() == [("failed", "one")], "broken again is complained of again"

    async def test_a_file_that_cannot_be_read_is_named_with_the_reason(self, pair: Together) -> None:
        pair.one.unlink()
        await pair.look()
        assert pair.group.error == f"{pair.one}: No such file or directory"
        assert pair.taken == []

    async def test_one_that_fails_by_our_fault_does_not_keep_the_next_group_from_being_looked_at(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        good = Together(tmp_path)

        def fail(_: Contents) -> Callable[[], None]:
            raise RuntimeError("bug")

        bad = Group("bad", {"x": tmp_path / "one"}, fail)
        reloader = Reloader([bad, good.group])

        async def once() -> AsyncIterator[None]:
            yield

        monkeypatch.setattr(reloader, "_notices", once)
        good.two.write_bytes(b"2")
        await reloader._run()
        assert good.taken == [{"one": b"1", "two": b"2"}]
