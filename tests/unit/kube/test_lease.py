"""One leader at a time, whatever happens to the Lease, the API server and the processes."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kube.store import Store
from tests.unit.certs.virtual import run
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.lease import Election

LEASE = "/apis/coordination.k8s.io/v1/namespaces/linkerd/leases/linkerd-webhook"


class Line:
    """One candidate's own line to the API server, which can be slow, cut, or dead."""

    def __init__(self, api: Store) -> None:
        self.api = api
        self.cut: Exception | None = None
        self.silent = False

    async def send(self, method: str, path: str, *more: Any, **named: Any) -> JSON:
        """As `webhook.kube.errors.Api`."""
        await asyncio.sleep(random.uniform(0.0, 0.02))
        if self.silent:
            # As the real one, which gives up after five seconds.
            await asyncio.sleep(5.0)
            raise TimeoutError
        if self.cut is not None:
            raise self.cut
        return await self.api.send(method, path, *more, **named)


class Candidates:
    """Several, and who leads: never two, which is noted whenever one begins."""

    def __init__(self) -> None:
        self.api = Store()
        self.lines: dict[str, Line] = {}
        self.elections: dict[str, Election] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.leading: set[str] = set()
        self.terms: list[tuple[str, float]] = []
        self.overlaps: list[tuple[str, str]] = []
        self.wakes: dict[str, asyncio.Event] = {}

    def start(self, name: str) -> None:
        """One more runs."""
        self.lines[name] = Line(self.api)
        self.wakes[name] = asyncio.Event()
        self.elections[name] = Election(self.lines[name], "linkerd", "linkerd-webhook", name, wake=self.wakes[name])
        self.tasks[name] = asyncio.create_task(self.elections[name].run(lambda: self._lead(name)))

    async def _lead(self, name: str) -> None:
        # Raised here, it would only end this one's term.
        self.overlaps += [(other, name) for other in self.leading]
        self.leading.add(name)
        self.terms.append((name, asyncio.get_running_loop().time()))
        try:
            await asyncio.Event().wait()
        finally:
            self.leading.discard(name)

    async def stop(self, name: str) -> None:
        """SIGTERM."""
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks.pop(name), return_exceptions=True)

    @property
    def leader(self) -> str:
        (result,) = self.leading
        assert self.elections[result].leading
        return result

    @property
    def other(self) -> str:
        return next(name for name in self.tasks if name != self.leader)

    @property
    def spec(self) -> JSON:
        result: JSON = self.api.objects[LEASE]["spec"]
        return result

    async def next_leader(self, within: float) -> float:
        """The seconds until another one leads than now."""
        loop, before, terms = asyncio.get_running_loop(), set(self.leading), len(self.terms)
        begin = loop.time()
        while loop.time() - begin < within:
            if len(self.terms) > terms and self.leading and self.leading != before:
                return loop.time() - begin
            await asyncio.sleep(0.05)
        raise AssertionError(f"no other leader within {within} s")


@contextlib.asynccontextmanager
async def candidates(*names: str) -> AsyncIterator[Candidates]:
    """All run, and one leads."""
    result = Candidates()
    for name in names:
        result.start(name)
    await asyncio.sleep(5)
    assert len(result.leading) == 1
    yield result
    assert result.overlaps == []
    for name in list(result.tasks):
        await result.stop(name)


class TestElection:
    """Who leads."""

    def test_one_of_three_leads_and_the_others_know_who(self) -> None:
        async def story() -> None:
            async with candidates("a", "b", "c") as all_:
                await asyncio.sleep(300)
                assert len(all_.terms) == 1
                assert {election.holder for election in all_.elections.values()} == {all_.leader}
                assert all_.spec["leaseDurationSeconds"] == 15

        run(story())

    def test_a_leader_that_ends_lets_go_and_the_next_one_leads_at_once(self) -> None:
        async def story() -> None:
            async with candidates("a", "b") as all_:
                await all_.stop(all_.leader)
                assert all_.spec["holderIdentity"] == ""
                await asyncio.sleep(2.1)
                assert all_.leader
                assert all_.spec["leaseTransitions"] == 1

        run(story())

    def test_who_is_woken_as_the_lease_is_free_leads_without_a_wait(self) -> None:
        async def story() -> None:
            async with candidates("a", "b", "c") as all_:
                await all_.stop(all_.leader)
                for wake in all_.wakes.values():
                    wake.set()
                await asyncio.sleep(0.2)
                assert all_.leader
                # Woken once, everybody goes on at the usual pace.
                calls = len(all_.api.calls)
                await asyncio.sleep(1.0)
                assert len(all_.api.calls) - calls <= 4

        run(story())

    def test_a_leader_that_dies_is_followed_once_its_lease_has_run_out(self) -> None:
        async def story() -> None:
            async with candidates("a", "b") as all_:
                dead = all_.leader
                all_.lines[dead].api = Store()
                all_.elections[dead]._deadline = 1e9
                all_.leading.clear()
                assert 9 < await all_.next_leader(20) < 20

        run(story())

    @pytest.mark.parametrize("how", ["refused", "silent"])
    def test_a_leader_that_is_cut_off_stops_before_another_begins(self, how: str) -> None:
        async def story() -> None:
            async with candidates("a", "b") as all_:
                first = all_.leader
                all_.lines[first].cut = ApiError(0, "connection refused") if how == "refused" else None
                all_.lines[first].silent = how == "silent"
                begin = asyncio.get_running_loop().time()
                while first in all_.leading:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                assert 4 < asyncio.get_running_loop().time() - begin < 10.5
                await asyncio.sleep(8)
                assert all_.leader != first
                assert all_.elections[first].problem
                all_.lines[first].cut, all_.lines[first].silent = None, False
                await asyncio.sleep(60)
                assert len(all_.terms) == 2, "whoever comes back is a candidate like the others"

        run(story())

    def test_a_short_cut_changes_nothing(self) -> None:
        async def story() -> None:
            async with candidates("a", "b") as all_:
                for line in all_.lines.values():
                    line.cut = ApiError(500, "etcd has no leader")
                await asyncio.sleep(4)
                for line in all_.lines.values():
                    line.cut = None
                await asyncio.sleep(60)
                assert len(all_.terms) == 1

        run(story())

    @pytest.mark.parametrize("moment", [0.3, 1.7, 3.1, 4.4])
    def test_a_deleted_lease_is_made_anew_by_the_one_who_leads(self, moment: float) -> None:
        async def story() -> None:
            async with candidates("a", "b", "c") as all_:
                await asyncio.sleep(20 + moment)
                all_.api.remove(LEASE)
                await asyncio.sleep(60)
                assert len(all_.terms) == 1
                assert all_.spec["holderIdentity"] == all_.leader

        run(story())

    def test_who_makes_a_deleted_lease_anew_leads_once_the_others_have_seen_it(self) -> None:
        async def story() -> None:
            async with candidates("a", "b", "c") as all_:
                all_.lines[all_.leader].silent = True
                all_.api.remove(LEASE)
                while LEASE not in all_.api.objects:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                await asyncio.sleep(3)
                assert all_.leading == set()
                await asyncio.sleep(5)
                assert all_.leader == all_.spec["holderIdentity"]

        run(story())

    @pytest.mark.parametrize(
        "spec",
        [{}, None, {"holderIdentity": 7}, {"holderIdentity": "", "renewTime": "never", "leaseDurationSeconds": "x"}],
    )
    def test_a_damaged_lease_is_mended_by_the_one_who_leads(self, spec: Any) -> None:
        async def story() -> None:
            async with candidates("a", "b") as all_:
                await asyncio.sleep(21)
                all_.api.put(LEASE, {**all_.api.objects[LEASE], "spec": spec})
                await asyncio.sleep(60)
                assert len(all_.terms) == 1
                assert all_.spec["holderIdentity"] == all_.leader

        run(story())

    def test_an_empty_lease_that_was_installed_is_taken_at_once(self) -> None:
        async def story() -> None:
            all_ = Candidates()
            all_.api.put(LEASE, {"kind": "Lease", "metadata": {"name": "linkerd-webhook"}})
            all_.start("a")
            await asyncio.sleep(1)
            assert all_.leader == "a"
            await all_.stop("a")

        run(story())

    def test_a_leader_whose_lease_is_taken_stops(self) -> None:
        async def story() -> None:
            async with candidates("a") as all_:
                spec = {**all_.spec, "holderIdentity": "somebody"}
                all_.api.put(LEASE, {**all_.api.objects[LEASE], "spec": spec})
                await asyncio.sleep(6)
                assert all_.leading == set()
                assert all_.elections["a"].holder == "somebody"
                await asyncio.sleep(20)
                assert all_.leader == "a", "somebody is gone"

        run(story())

    def test_clocks_of_nodes_do_not_matter(self) -> None:
        async def story() -> None:
            async with candidates("a", "b") as all_:
                for _ in range(30):
                    await asyncio.sleep(4)
                    spec = {**all_.spec, "renewTime": "2001-01-01T00:00:00.000000Z"}
                    all_.api.put(LEASE, {**all_.api.objects[LEASE], "spec": spec})
                assert len(all_.terms) == 1

        run(story())

    def test_what_is_done_while_leading_and_fails_is_begun_again(self) -> None:
        async def story() -> None:
            begun = []

            async def lead() -> None:
                begun.append(1)
                raise ValueError("a bug")

            task = asyncio.create_task(Election(Store(), "linkerd", "linkerd-webhook", "a").run(lead))
            await asyncio.sleep(21)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert len(begun) >= 4

        run(story())

    @pytest.mark.parametrize("seed", range(40))
    def test_there_are_never_two_whatever_happens(self, seed: int) -> None:
        async def story() -> None:
            chance = random.Random(seed)
            async with candidates("a", "b", "c") as all_:
                for _ in range(60):
                    await asyncio.sleep(chance.uniform(0.1, 12))
                    line = all_.lines[chance.choice("abc")]
                    line.cut = chance.choice([None, None, ApiError(0, "x"), ApiError(500, "x"), TimeoutError()])
                    line.silent = chance.random() < 0.2
                    if chance.random() < 0.1:
                        all_.api.remove(LEASE)
                    assert all_.overlaps == []
                    # One that has just begun or ended gets around to it in the next moment.
                    await asyncio.sleep(0.001)
                    assert {name for name, element in all_.elections.items() if element.leading} == all_.leading
                for line in all_.lines.values():
                    line.cut, line.silent = None, False
                await asyncio.sleep(30)
                assert all_.leader
                assert all(not task.done() for task in all_.tasks.values())

        run(story())
