"""Who waits to lead hears at once that the Lease is free."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.upkeep.lease_watch import LeaseWatch


def _watch(calls: list[int]) -> LeaseWatch:
    return LeaseWatch(None, "linkerd", "linkerd-webhook", lambda: calls.append(1))  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", [{"holderIdentity": ""}, {"leaseDurationSeconds": 1}])
def test_a_lease_that_nobody_holds_is_told(spec: Any) -> None:
    calls: list[int] = []
    _watch(calls).put({"spec": spec})
    assert calls == [1]


@pytest.mark.parametrize("body", [{"spec": {"holderIdentity": "other"}}, {"spec": None}, {}, None, "x"])
def test_one_that_somebody_holds_or_that_makes_no_sense_is_not(body: Any) -> None:
    calls: list[int] = []
    watch = _watch(calls)
    watch.put(body)
    watch.remove(body)
    assert calls == []


def test_only_this_lease_is_watched_and_whole_as_metadata_does_not_tell_the_holder() -> None:
    subject = _watch([])._watch.resource
    assert subject.path == "/apis/coordination.k8s.io/v1/namespaces/linkerd/leases"
    assert subject.field_selector == "metadata.name=linkerd-webhook"
    assert (subject.list_as, subject.watch_as) == ("application/json", "application/json")
