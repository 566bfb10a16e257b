"""The leader's rounds: what waits for what."""

from __future__ import annotations

from typing import Any

import pytest

from certs.reconciler import Round
from certs.tls import ServedCertificate
from tests.kube.store import Store
from tests.unit.install.test_validatedkinds import NEW, OLD
from tests.unit.install.test_validatedkinds import configuration as printed
from webhook.diagnosis import selftest
from webhook.diagnosis.condition import Condition
from webhook.diagnosis.selftest import REACHED, SelfTestResult
from webhook.install.adoption import LINKERD_CONFIGURATIONS
from webhook.upkeep.conditions import conditions
from webhook.upkeep.leader import Upkeep
from webhook.upkeep.registration import ADVISOR, OURS, SELF_TEST, Duties

from .conftest import SERVICE, Known, configuration, webhook

PIECE = {
    "ports": [{"port": 8443}],
    "endpoints": [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.3"]},
    ],
}


SLICES = "/apis/discovery.k8s.io/v1/namespaces/linkerd/endpointslices"


class Slices(Store):
    """An API server with EndpointSlices of the Service."""

    def __init__(self, *items: Any) -> None:
        super().__init__()
        for number, item in enumerate(items):
            self.slice(item, str(number))

    def slice(self, item: Any, name: str = "a") -> None:
        """Put one."""
        labels = {"kubernetes.io/service-name": SERVICE.name}
        self.put(f"{SLICES}/{name}", {"metadata": {"labels": labels}, **item})


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts self-tests, each of which succeeds."""
    seen: list[int] = []

    async def run(*_: Any) -> SelfTestResult:
        seen.append(1)
        return SelfTestResult(answered_by="me")

    monkeypatch.setattr(selftest, "run", run)
    return seen


def upkeep(api: Store) -> Upkeep:
    """One of a self-managed installation that is not started."""
    return Upkeep(api, Duties(SERVICE, "me"), ServedCertificate())  # type: ignore[arg-type]


class TestSelfTest:
    async def test_waits_in_silence_for_a_ready_replica(self, reached: list[int]) -> None:
        report = upkeep(Slices())
        await report._test()
        assert reached == []
        assert report.self_test is not None
        assert "no replica is ready" in report.self_test.problem

    async def test_is_made_once_one_is_ready(self, reached: list[int]) -> None:
        report = upkeep(Slices(PIECE))
        await report._test()
        assert report.self_test == SelfTestResult(answered_by="me")

    async def test_is_made_where_the_replicas_are_not_known(self, reached: list[int]) -> None:
        api = Slices()
        api.failures[SLICES] = TimeoutError()
        report = upkeep(api)
        await report._test()
        assert reached == [1]


UNREACHED = SelfTestResult(finding=REACHED.error("", "", "connection refused"))


class TestSelfTestThatFails:
    @pytest.fixture
    def unreached(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Self-tests fail with the first of these until it is empty; what is warned of."""

        async def run(*_: Any) -> SelfTestResult:
            return UNREACHED

        monkeypatch.setattr(selftest, "run", run)
        said: list[str] = []
        monkeypatch.setattr("webhook.upkeep.leader.log.warning", said.append)
        return said

    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """The loop's time, as the test sets it."""
        now = [1000.0]

        class Loop:
            def time(self) -> float:
                return now[0]

        monkeypatch.setattr("webhook.upkeep.leader.asyncio.get_running_loop", Loop)
        return now

    async def test_right_after_a_start_is_no_warning_as_the_service_has_to_get_around_first(
        self, unreached: list[str], now: list[float]
    ) -> None:
        report = upkeep(Slices(PIECE))
        for now[0] in (1000.0, 1010.0, 1019.9):
            await report._test()
        assert unreached == []
        assert report.self_test == UNREACHED, "it is told to whoever asks"
        now[0] = 1020.0
        await report._test()
        assert unreached == ["connection refused"]

    async def test_while_no_replica_is_ready_does_not_count(self, unreached: list[str], now: list[float]) -> None:
        api = Slices()
        report = upkeep(api)
        await report._test()
        api.slice(PIECE)
        now[0] = 1100.0
        await report._test()
        assert unreached == []

    async def test_is_tried_again_at_once_at_first_and_more_slowly_later(
        self, unreached: list[str], now: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report = upkeep(Slices(PIECE))

        async def nothing(_: Any) -> Round:
            return Round(10.0)

        monkeypatch.setattr(report._reconciler, "round", nothing)
        await report._keep()
        now[0] += 0.5
        await report._keep()
        assert report._next_test == pytest.approx(now[0] + 0.5)
        now[0] += 30
        await report._keep()
        assert report._next_test == pytest.approx(now[0] + 2.0)


class TestEndpoints:
    async def test_are_those_that_do_not_say_that_they_are_not_ready(self) -> None:
        assert await upkeep(Slices(PIECE))._endpoints() == [("10.0.0.1", 8443), ("10.0.0.3", 8443)]

    @pytest.mark.parametrize("piece", [{}, {"ports": None, "endpoints": None}, {"ports": [{}], "endpoints": [{}]}])
    async def test_are_none_in_a_slice_without(self, piece: Any) -> None:
        assert await upkeep(Slices(piece))._endpoints() == []


class TestOwned:
    def test_ca_bundles_are_ours_in_every_configuration_of_ours_that_points_here(self) -> None:
        report = upkeep(Slices())
        bodies = [configuration(name, webhook("a")) for name in (SELF_TEST, ADVISOR, *LINKERD_CONFIGURATIONS[:1])]
        elsewhere = configuration(OURS[0], webhook("a", service="other"))
        report.configurations = Known(*bodies, elsewhere)  # type: ignore[assignment]
        assert report._owned() == [SELF_TEST, ADVISOR, LINKERD_CONFIGURATIONS[0]]

    def test_no_replica_waits_for_the_one_that_only_advises(self) -> None:
        assert ADVISOR not in upkeep(Slices()).counted()


class TestConditions:
    def test_kinds_that_are_stored_unchecked_since_an_upgrade_are_named_by_every_replica(self) -> None:
        duties = Duties(SERVICE, "me", line=lambda: NEW)
        result = Upkeep(Slices(), duties, ServedCertificate())  # type: ignore[arg-type]
        assert _by_name(result)["validated kinds"]["ok"]
        old = printed(OLD)
        result.configurations._watches[old["kind"]].store.by_name[old["metadata"]["name"]] = old
        condition = _by_name(result)["validated kinds"]
        assert (condition["ok"], condition["required"]) == (False, False)
        for part in ("EgressNetwork.policy.linkerd.io", "version-2.16", "version-2.17", "kubectl apply -f -"):
            assert part in condition["message"]

    def test_kinds_are_not_a_matter_of_adopted_configurations(self) -> None:
        result = Upkeep(Slices(), Duties(SERVICE, "me", adopt=True), ServedCertificate())  # type: ignore[arg-type]
        assert "validated kinds" not in _by_name(result)

    def test_who_leads_and_why_nobody_can_is_told_by_every_replica(self) -> None:
        report = upkeep(Slices())
        assert _by_name(report)["leader"]["ok"]
        report.election.problem = "Lease linkerd/linkerd-webhook: not allowed"
        assert _by_name(report)["leader"]["message"] == "Lease linkerd/linkerd-webhook: not allowed"

    def test_a_certificate_from_files_without_a_ca_says_that_nobody_writes_the_ca_bundle_and_what_to_do(self) -> None:
        def message(duties: Duties) -> str:
            result = Upkeep(Slices(), duties, ServedCertificate())  # type: ignore[arg-type]
            return str(_by_name(result)["trusted"]["message"])

        lacking = message(Duties(SERVICE, "me", self_managed=False))
        for part in ("no ca.crt", "as ca.crt", "--ca-bundle FILE", "--inject-ca-from"):
            assert part in lacking
        there = message(Duties(SERVICE, "me", self_managed=False, ca=lambda: b"PEM"))
        assert "check that this is the CA of tls.crt; if it is, no replica leads yet, so wait for one" in there

    def test_a_certificate_that_is_not_issued_yet_leads_to_the_leader_and_its_log(self) -> None:
        report = upkeep(Slices())
        report.election.holder = "linkerd-webhook-abc"
        assert _by_name(report)["trusted"]["message"].endswith("if it does not, see the log of linkerd-webhook-abc")
        report.election.problem = "Lease linkerd/linkerd-webhook: not allowed"
        assert _by_name(report)["trusted"]["message"].endswith("not allowed")

    def test_only_trust_keeps_a_replica_from_being_ready(self) -> None:
        required = {name for name, element in _by_name(upkeep(Slices())).items() if element["required"]}
        assert required == {"trusted"}


class TestLog:
    async def test_two_problems_that_take_turns_are_each_said_once_a_minute(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr("webhook.upkeep.leader.log.warning", said.append)
        report = upkeep(Slices())
        for number in range(5):
            report._warn(f"caBundle was overwritten by evil (put back {number} times)")
            report._warn("no ready replica to ask")
        assert len(said) == 2

    def test_a_problem_is_said_once_whatever_numbers_change_in_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said: list[str] = []
        monkeypatch.setattr("webhook.upkeep.leader.log.warning", said.append)
        report = upkeep(Slices())
        for seconds in (4, 2, 1):
            report._log_change("certificates", f"put back in {seconds} s")
        assert said == ["put back in 4 s"]
        report._log_change("certificates", "")
        report._log_change("certificates", "put back in 8 s")
        assert len(said) == 2


def _by_name(result: Upkeep) -> dict[str, Condition]:
    return {condition["name"]: condition for condition in conditions(result)}
