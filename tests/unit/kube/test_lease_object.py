"""What a candidate writes into the Lease, and what it makes of what others have written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.kube.store import Store
from tests.unit.certs.virtual import run
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.lease import Election

ROOT = "/apis/coordination.k8s.io/v1/namespaces/linkerd/leases"
LEASE = f"{ROOT}/linkerd-webhook"


async def lead_for(api: Store, seconds: float, name: str = "a") -> Election:
    """A candidate that ran for so long, and was then stopped."""
    election = Election(api, "linkerd", "linkerd-webhook", name)
    task = asyncio.create_task(election.run(asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(seconds)
    election.held = election.leading  # type: ignore[attr-defined]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return election


def held_by(holder: str, **spec: Any) -> JSON:
    """Another's Lease."""
    body = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.0Z", **spec}
    return {"kind": "Lease", "metadata": {"name": "linkerd-webhook", "namespace": "linkerd"}, "spec": body}


def test_the_lease_is_made_as_a_whole_object_in_the_servers_name() -> None:
    async def story() -> None:
        api = Store()
        await lead_for(api, 1)
        sent = api.tried[0]
        assert (sent.method, sent.path, sent.query) == ("POST", ROOT, {"fieldManager": "linkerd-webhook"})
        body = sent.body
        assert body is not None
        spec = body.pop("spec")
        assert body == {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "linkerd-webhook", "namespace": "linkerd"},
        }
        assert spec["acquireTime"] == spec["renewTime"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 15, 0)

    run(story())


def test_a_renewal_keeps_when_and_how_often_the_lease_was_taken() -> None:
    async def story() -> None:
        api = Store()
        await lead_for(api, 12)
        first, renewed = api.tried[0].body, api.tried[1]
        assert renewed.method == "PUT"
        assert renewed.query == {"fieldManager": "linkerd-webhook"}
        assert first is not None
        assert renewed.body is not None
        for key in ("acquireTime", "leaseTransitions", "holderIdentity"):
            assert renewed.body["spec"][key] == first["spec"][key]

    run(story())


def test_a_change_of_hands_is_counted_and_what_is_released_stays_readable() -> None:
    async def story() -> None:
        api = Store()
        api.put(LEASE, held_by("", leaseDurationSeconds=1, leaseTransitions=7, acquireTime="2026-01-01T00:00:00.0Z"))
        await lead_for(api, 1)
        taken, released = api.tried[0].body, api.tried[-1].body
        assert taken is not None
        assert taken["spec"]["leaseTransitions"] == 8
        assert taken["spec"]["acquireTime"] > "2026-01-01T00:00:00.0Z"
        assert released is not None
        assert released["spec"] == taken["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1}

    run(story())


@pytest.mark.parametrize(("says", "after", "leads"), [(40, 30, False), (40, 46, True), (600, 66, True), (15, 22, True)])
def test_a_holder_that_is_gone_is_waited_for_as_long_as_its_lease_says_but_a_minute_at_most(
    says: int, after: float, leads: bool
) -> None:
    async def story() -> None:
        api = Store()
        api.put(LEASE, held_by("gone", leaseDurationSeconds=says))
        election = await lead_for(api, after)
        assert election.held is leads  # type: ignore[attr-defined]

    run(story())


@pytest.mark.parametrize(
    ("status", "problem"),
    [(409, ""), (403, "Lease linkerd/linkerd-webhook: not allowed"), (0, "Lease linkerd/linkerd-webhook: no connect")],
)
def test_a_conflict_is_no_problem_and_what_else_fails_is(status: int, problem: str) -> None:
    async def story() -> None:
        api = Store()
        api.failures[f"POST {ROOT}"] = ApiError(status, "no")
        election = Election(api, "linkerd", "linkerd-webhook", "a")
        assert await election._attempt() is False
        assert election.problem.startswith(problem)
        assert bool(election.problem) is bool(problem)
        api.failures.clear()
        assert await election._attempt() is True
        assert election.problem == ""

    run(story())


@pytest.mark.parametrize(("status", "reads"), [(403, 1), (0, 2)])
def test_only_who_may_have_taken_it_unseen_looks_again_at_the_end(status: int, reads: int) -> None:
    """A connection that breaks does not tell whether the write was done; a refusal does."""

    async def story() -> None:
        api = Store()
        api.failures[f"POST {ROOT}"] = ApiError(status, "no")
        await lead_for(api, 0.5)
        assert len(api.paths("GET")) == reads

    run(story())


def test_nobody_leads_before_the_first_attempt() -> None:
    election = Election(Store(), "linkerd", "linkerd-webhook", "a")
    assert (election.leading, election.holder, election.problem) == (False, "", "")
