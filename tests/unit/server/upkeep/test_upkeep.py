"""The leader's rounds: what waits for what."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.install.configurations import RULES
from webhook.server.tls import Certificate
from webhook.server.upkeep import selftest
from webhook.server.upkeep.conditions import conditions
from webhook.server.upkeep.registration import Duties
from webhook.server.upkeep.selftest import Reach
from webhook.server.upkeep.upkeep import Upkeep

from .conftest import SERVICE, Written

PIECE = {
    "ports": [{"port": 8443}],
    "endpoints": [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.3"]},
    ],
}


class Slices(Written):
    """An API server with EndpointSlices."""

    def __init__(self, *items: Any) -> None:
        super().__init__()
        self.items = list(items)

    async def get(self, path: str, query: Any = None, accept: str = "") -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {"items": self.items}


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts self-tests, each of which succeeds."""
    seen: list[int] = []

    async def reach(*_: Any) -> Reach:
        seen.append(1)
        return Reach(answered_by="me")

    monkeypatch.setattr(selftest, "reach", reach)
    return seen


def upkeep(api: Written) -> Upkeep:
    """One of a self-managed installation that is not started."""
    return Upkeep(api, Duties(SERVICE, "me", RULES), Certificate())  # type: ignore[arg-type]


class TestSelfTest:
    async def test_waits_in_silence_for_a_ready_replica(self, reached: list[int]) -> None:
        found = upkeep(Slices())
        await found._test()
        assert reached == []
        assert found.reach is not None
        assert "no ready replica" in found.reach.problem

    async def test_is_made_once_one_is_ready(self, reached: list[int]) -> None:
        found = upkeep(Slices(PIECE))
        await found._test()
        assert found.reach == Reach(answered_by="me")

    async def test_is_made_where_the_replicas_are_not_known(self, reached: list[int]) -> None:
        api = Slices()
        api.error = TimeoutError()
        found = upkeep(api)
        await found._test()
        assert reached == [1]


class TestEndpoints:
    async def test_are_those_that_do_not_say_that_they_are_not_ready(self) -> None:
        assert await upkeep(Slices(PIECE))._endpoints() == [("10.0.0.1", 8443), ("10.0.0.3", 8443)]

    @pytest.mark.parametrize("piece", [{}, {"ports": None, "endpoints": None}, {"ports": [{}], "endpoints": [{}]}])
    async def test_are_none_in_a_slice_without(self, piece: Any) -> None:
        assert await upkeep(Slices(piece))._endpoints() == []


class TestConditions:
    def test_who_leads_and_why_nobody_can_is_told_by_every_replica(self) -> None:
        found = upkeep(Slices())
        assert _by_name(found)["leader"]["ok"]
        found.election.problem = "Lease linkerd/linkerd-webhook: not allowed"
        assert _by_name(found)["leader"]["message"] == "Lease linkerd/linkerd-webhook: not allowed"

    def test_only_trust_keeps_a_replica_from_being_ready(self) -> None:
        required = {name for name, each in _by_name(upkeep(Slices())).items() if each["required"]}
        assert required == {"trusted"}


class TestLog:
    async def test_two_problems_that_take_turns_are_each_said_once_a_minute(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr("webhook.server.upkeep.upkeep.log.warning", said.append)
        found = upkeep(Slices())
        for number in range(5):
            found._warn(f"caBundle was overwritten by evil (put back {number} times)")
            found._warn("no ready replica to ask")
        assert len(said) == 2

    def test_a_problem_is_said_once_whatever_numbers_change_in_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said: list[str] = []
        monkeypatch.setattr("webhook.server.upkeep.upkeep.log.warning", said.append)
        found = upkeep(Slices())
        for seconds in (4, 2, 1):
            found._say("certificates", f"put back in {seconds} s")
        assert said == ["put back in 4 s"]
        found._say("certificates", "")
        found._say("certificates", "put back in 8 s")
        assert len(said) == 2


def _by_name(found: Upkeep) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in conditions(found)}
