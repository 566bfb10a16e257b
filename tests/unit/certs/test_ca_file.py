"""Certificates that somebody else keeps in files."""

from __future__ import annotations

from collections.abc import Callable

from certs.ca_file import CaFile
from certs.handshake import ProbeError
from certs.issue import issue_ca
from certs.reconciler import Reconciler
from tests.kube.configurations import configuration
from tests.kube.store import Store
from tests.unit.certs.world import SERVICE
from webhook.kube.webhookconfigurations import MUTATING, ConfigurationName, path

NAME: ConfigurationName = (MUTATING, "linkerd-webhook")
OLD, NEW = issue_ca("old").certificate, issue_ca("new").certificate


class Desk:
    """One configuration, and a replica that serves a leaf of one CA."""

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        self.api = Store()
        self.now = 0.0
        self.serves = OLD
        self.api.put(path(NAME), configuration(*NAME))
        self.reconciler = Reconciler(
            self.api, CaFile(read), SERVICE, lambda: [NAME], self._endpoints,
            monotonic=lambda: self.now, probe=self._probe,
        )  # fmt: skip

    async def _endpoints(self) -> list[tuple[str, int]]:
        return [("10.0.0.1", 8443)]

    async def _probe(self, host: str, port: int, name: str, bundle: bytes) -> None:
        if self.serves not in bundle:
            raise ProbeError("untrusted", "unable to get local issuer certificate")

    async def rounds(self, seconds: int) -> list[str]:
        problems: list[str] = []
        for _ in range(seconds // 2):
            problems += (await self.reconciler.round([self.api.objects[path(NAME)]])).problems
            self.now += 2
        return problems

    @property
    def bundle(self) -> bytes:
        from webhook.kube.webhookconfigurations import pointing

        return pointing(self.api.objects[path(NAME)], SERVICE)[0].bundle


async def test_the_cas_of_the_file_are_put_into_the_ca_bundles() -> None:
    desk = Desk(lambda: OLD)
    assert await desk.rounds(4) == []
    assert desk.bundle == OLD


async def test_where_there_is_no_file_nothing_is_written() -> None:
    for nothing in (None, b""):
        desk = Desk(lambda result=nothing: result)  # type: ignore[misc]
        assert await desk.rounds(60) == []
        assert desk.api.calls == []


async def test_a_new_ca_stands_beside_the_old_one_until_every_replica_serves_it() -> None:
    files = [OLD]
    desk = Desk(lambda: files[0])
    await desk.rounds(20)
    files[0] = NEW
    problems = await desk.rounds(60)
    assert desk.bundle == NEW + OLD
    assert "a replica does not serve the new certificate yet" in problems[-1]
    desk.serves = NEW
    await desk.rounds(4)
    assert desk.bundle == NEW


async def test_junk_and_a_file_that_cannot_be_read_are_said_and_change_nothing() -> None:
    files: list[bytes | OSError] = [OLD]

    def read() -> bytes:
        if isinstance(files[0], OSError):
            raise files[0]
        return files[0]

    desk = Desk(read)
    await desk.rounds(4)
    for broken in (b"junk", OSError("permission denied")):
        files[0] = broken
        problems = await desk.rounds(2)
        assert problems[0].startswith("ca.crt ")
        assert desk.bundle == OLD


async def test_a_certificate_that_can_be_read_counts_beside_one_that_cannot() -> None:
    desk = Desk(lambda: OLD[:100] + b"\n" + NEW)
    problems = await desk.rounds(4)
    assert desk.bundle == NEW
    assert "it has no end: the other CAs in it are used" in problems[-1]


class TestLooking:
    """What the file holds, and what counts where it holds less than before."""

    @staticmethod
    async def looked(*contents: bytes | OSError | None) -> CaFile:
        """After a look at each of these in turn."""
        left = list(contents)

        def read() -> bytes | None:
            result = left.pop(0)
            if isinstance(result, OSError):
                raise result
            return result

        trust = CaFile(read)
        assert (trust.required_cas(), trust.problems) == (b"", [])
        for _ in contents:
            await trust.read()
        return trust

    async def test_its_cas_are_wanted_and_named(self) -> None:
        trust = await self.looked(OLD + NEW)
        assert trust.problems == []
        assert OLD.strip() in trust.required_cas()
        assert NEW.strip() in trust.required_cas()
        assert trust.state() == {"CA": "CN=old, CN=new"}

    async def test_without_a_file_nothing_is_wanted_and_that_is_said(self) -> None:
        trust = await self.looked(None)
        assert (trust.required_cas(), trust.problems) == (b"", [])
        assert trust.state() == {"CA": "no ca.crt: this server does not write the caBundles"}

    async def test_a_broken_block_beside_a_good_one_is_told_and_the_good_one_counts(self) -> None:
        junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        trust = await self.looked(OLD, junk + NEW)
        assert trust.state() == {"CA": "CN=new"}
        (problem,) = trust.problems
        assert problem.startswith("ca.crt ")
        assert problem.endswith("the other CAs in it are used; write the CA certificates into it, in PEM")

    async def test_what_cannot_be_read_leaves_what_was_there_before_and_is_told(self) -> None:
        for broken in (b"hello", PermissionError(13, "Permission denied")):
            trust = await self.looked(OLD, broken)
            assert trust.state() == {"CA": "CN=old"}
            (problem,) = trust.problems
            assert "the previous CAs stay in use" in problem
        assert "Permission denied" in problem
        assert trust.serving() is None
        assert trust.rotation_is_complete()
        assert await trust.step(None) == ""  # type: ignore[arg-type]
