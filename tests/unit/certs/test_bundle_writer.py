"""caBundles are put in place, and put back, and nobody is fought at full speed."""

from __future__ import annotations

import itertools

import pytest

from certs.bundle_writer import BundleWriter
from certs.issue import issue_ca
from tests.kube.configurations import configuration
from tests.kube.store import Store
from webhook.kube.base64_fields import decode, encode
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import (
    CERT_MANAGER,
    MUTATING,
    VALIDATING,
    ConfigurationName,
    ServiceReference,
    path,
)

NAME: ConfigurationName = (MUTATING, "linkerd-webhook")
OTHER: ConfigurationName = (VALIDATING, "somebody-s")
OLD, NEW, FOREIGN = (issue_ca(name).certificate for name in ("old", "new", "foreign"))


class Desk:
    """A writer and what it writes to."""

    def __init__(self, bundle: bytes = b"", **annotations: str) -> None:
        self.api = Store()
        self.now = 0.0
        self.owned = [NAME]
        self.api.put(path(NAME), configuration(*NAME, bundle, 2, **annotations))
        self.writer = BundleWriter(
            self.api, ServiceReference("linkerd", "linkerd-webhook"), lambda: self.owned, lambda: self.now
        )

    async def write(self, wanted: bytes, exactly: bool = False) -> None:
        self.writer.begin()
        bodies = self.writer.current(list(self.api.objects.values()))
        await self.writer.write(bodies, wanted, exactly=exactly)

    def bundle(self, index: int = 0, name: ConfigurationName = NAME) -> bytes:
        return decode(self.api.objects[path(name)]["webhooks"][index]["clientConfig"].get("caBundle"))

    def overwrite(self, bundle: bytes, manager: str = "helm") -> None:
        body = self.api.objects[path(NAME)]
        hooks = [{**w, "clientConfig": {**w["clientConfig"], "caBundle": encode(bundle)}} for w in body["webhooks"]]
        self.api.put(path(NAME), {**body, "webhooks": hooks}, manager)


class TestPutting:
    """What is wanted comes in."""

    async def test_every_webhook_gets_it_in_one_write_beside_what_it_has(self) -> None:
        desk = Desk(OLD)
        await desk.write(NEW)
        assert [desk.bundle(0), desk.bundle(1)] == [NEW + OLD] * 2
        assert desk.api.calls == [("PUT", path(NAME))]
        assert desk.writer.problems == []

    async def test_exactly_what_is_wanted_takes_the_rest_out(self) -> None:
        desk = Desk(OLD + NEW)
        await desk.write(NEW, exactly=True)
        assert desk.bundle() == NEW

    async def test_what_is_there_in_another_order_is_left(self) -> None:
        desk = Desk(OLD + NEW)
        await desk.write(NEW + OLD)
        assert desk.api.calls == []

    async def test_nothing_is_written_for_nothing(self) -> None:
        desk = Desk(OLD)
        await desk.write(b"")
        await desk.write(b"", exactly=True)
        assert desk.bundle() == OLD

    async def test_junk_is_cleared_away_and_what_can_be_read_stays(self) -> None:
        desk = Desk(OLD + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        await desk.write(NEW)
        assert desk.bundle() == NEW + OLD

    async def test_it_is_written_in_our_name(self) -> None:
        desk = Desk()
        await desk.write(NEW)
        assert [entry["manager"] for entry in desk.api.objects[path(NAME)]["metadata"]["managedFields"]] == [
            "linkerd-webhook"
        ]

    async def test_a_configuration_that_only_points_at_us_is_not_written(self) -> None:
        desk = Desk()
        desk.api.put(path(OTHER), configuration(*OTHER, OLD))
        await desk.write(NEW)
        assert desk.bundle(name=OTHER) == OLD

    @pytest.mark.parametrize("annotation", CERT_MANAGER)
    async def test_where_cert_manager_writes_nothing_is_written(self, annotation: str) -> None:
        desk = Desk(OLD, **{annotation: "x"})
        await desk.write(NEW)
        assert desk.api.calls == []

    async def test_what_a_watch_has_not_told_of_yet_is_not_taken_for_somebody_s(self) -> None:
        desk = Desk(OLD)
        stale = [dict(desk.api.objects[path(NAME)])]
        await desk.write(NEW)
        for _ in range(3):
            desk.writer.begin()
            await desk.writer.write(desk.writer.current(stale), NEW + FOREIGN)
        assert desk.writer.problems == []
        assert set(desk.bundle().split(b"-----END")) == set((NEW + FOREIGN + OLD).split(b"-----END"))

    async def test_a_conflict_is_left_for_the_next_look(self) -> None:
        desk = Desk(OLD)
        desk.api.before = lambda method, p: ApiError(409, "changed")
        await desk.write(NEW)
        assert desk.writer.retry_in == 0.5
        assert desk.writer.problems == []
        desk.api.before = lambda method, p: None
        await desk.write(NEW)
        assert desk.bundle() == NEW + OLD

    @pytest.mark.parametrize(("status", "says"), [(403, "grant this to the requesting user (no)"), (422, "refuses")])
    async def test_a_refusal_is_said_and_keeps_no_other_from_being_written(self, status: int, says: str) -> None:
        desk = Desk(OLD)
        desk.owned.append(OTHER)
        desk.api.put(path(OTHER), configuration(*OTHER, OLD))
        desk.api.before = lambda method, p: ApiError(status, "no") if p == path(NAME) else None
        await desk.write(NEW)
        assert desk.bundle(name=OTHER) == NEW + OLD
        (problem,) = desk.writer.problems
        assert problem.startswith("MutatingWebhookConfiguration linkerd-webhook: webhooks[0].clientConfig.caBundle")
        assert says in problem
        assert desk.writer.blocked == {NAME}


class TestPuttingBack:
    """Somebody overwrites it."""

    async def test_it_is_put_back_at_once_with_what_was_there_and_who_it_was_is_said(self) -> None:
        desk = Desk(OLD)
        await desk.write(NEW)
        desk.overwrite(FOREIGN)
        await desk.write(NEW)
        assert desk.bundle() == NEW + FOREIGN + OLD
        assert "was overwritten by helm" in desk.writer.problems[0]
        assert desk.writer.restored == {"linkerd-webhook": 1}

    async def test_it_is_put_back_ever_more_rarely(self) -> None:
        desk = Desk()
        await desk.write(NEW)
        times = []
        for second in range(2000):
            desk.now = float(second)
            desk.overwrite(FOREIGN)
            before = desk.writer.restored.total()
            await desk.write(NEW)
            if desk.writer.restored.total() > before:
                times.append(second)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
        assert set(gaps[9:]) == {300}
        assert desk.writer.retry_in is not None
        assert 0 < desk.writer.retry_in <= 300

    async def test_ten_minutes_of_calm_are_forgiven(self) -> None:
        desk = Desk()
        await desk.write(NEW)
        for second in (0, 1, 3):
            desk.now = float(second)
            desk.overwrite(FOREIGN)
            await desk.write(NEW)
        assert desk.writer.restored.total() == 3
        desk.now = 604.0
        for _ in range(2):
            desk.overwrite(FOREIGN)
            await desk.write(NEW)
            desk.now += 1.0
        assert desk.writer.restored.total() == 5

    async def test_another_replica_of_ours_is_not_somebody(self) -> None:
        desk = Desk()
        await desk.write(OLD + NEW)
        desk.overwrite(NEW, manager="linkerd-webhook")
        await desk.write(NEW)
        assert desk.bundle() == NEW, "what it took out stays out"
        await desk.write(NEW + FOREIGN)
        assert desk.writer.restored.total() == 0

    async def test_what_could_not_be_written_was_not_put_back(self) -> None:
        desk = Desk()
        await desk.write(NEW)
        desk.overwrite(FOREIGN)
        desk.api.before = lambda method, p: ApiError(403, "no")
        await desk.write(NEW)
        assert desk.writer.restored.total() == 0


@pytest.mark.parametrize(("waits", "soonest"), [((9.0, 2.0), 2.0), ((2.0, 9.0), 2.0), ((4.0,), 4.0)])
def test_of_several_that_wait_the_soonest_decides_when_to_look_again(waits: tuple[float, ...], soonest: float) -> None:
    writer = Desk().writer
    writer.begin()
    assert writer.retry_in is None
    for wait in waits:
        writer._retry(wait)
    assert writer.retry_in == soonest
