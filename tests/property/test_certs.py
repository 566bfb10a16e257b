"""Whatever happens to certificates, in whatever order: once it is over, all comes together again."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from certs.bundle import merge, read, salvage, write
from certs.issue import issue_ca
from tests.kube.configurations import configuration
from tests.kube.store import Killed
from tests.property.strategies import ANYTHING
from tests.unit.certs.world import CA, LEAF, NAMES, World, installed
from webhook.kube.base64_fields import decode, encode
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import MUTATING, ServiceReference, path, pointing

BOUNDED = settings(max_examples=150, deadline=None)
STORIES = settings(max_examples=40, deadline=None)

CAS = [issue_ca(f"ca {number}").certificate for number in range(4)]
BUNDLES = st.lists(st.sampled_from(CAS), max_size=5).map(b"".join)


@BOUNDED
@given(BUNDLES)
def test_a_bundle_comes_back(pem: bytes) -> None:
    assert write(read(pem)) == merge(pem)
    assert decode(encode(pem)) == pem
    assert len(set(read(pem))) == len(read(merge(pem)))


@BOUNDED
@given(BUNDLES, BUNDLES)
def test_merged_twice_is_merged_once(one: bytes, other: bytes) -> None:
    both = merge(one, other)
    assert merge(both, other, one) == both
    assert set(read(both)) == {*read(one), *read(other)}


@BOUNDED
@given(st.one_of(st.binary(max_size=40), st.tuples(BUNDLES, st.binary(max_size=20), BUNDLES).map(b"".join)))
def test_any_bytes_are_read_without_a_crash(pem: bytes) -> None:
    certificates, junk = salvage(pem)
    assert all(finding in (*(x for ca in CAS for x in read(ca)),) for finding in certificates)
    assert certificates or junk or not pem.strip()


@BOUNDED
@given(ANYTHING, ANYTHING)
def test_any_configuration_is_looked_at_without_a_crash(one: Any, other: Any) -> None:
    service = ServiceReference("linkerd", "linkerd-webhook")
    pointing(one, service)
    body = configuration(MUTATING, "x")
    body["webhooks"] = [
        other,
        {"name": one, "clientConfig": {**body["webhooks"][0]["clientConfig"], "caBundle": other}},
    ]
    body["metadata"] = one
    assert [entry.index for entry in pointing(body, service)] == [1]


# What may happen. Names and numbers only, so that a story that fails can be read.
EVENTS = st.one_of(
    st.tuples(
        st.just("time"), st.sampled_from([1, 5, 30, 3600, 86400, 20 * 86400, 31 * 86400, 250 * 86400, 400 * 86400])
    ),
    st.tuples(st.just("run"), st.sampled_from([1, 8, 15, 30])),
    st.tuples(st.just("delete"), st.sampled_from([CA, LEAF, path(NAMES[0])])),
    st.tuples(
        st.just("edit"), st.sampled_from([(CA, "tls.crt"), (CA, "tls.key"), (CA, "next.crt"), (LEAF, "tls.key")])
    ),
    st.tuples(st.just("rigid"), st.sampled_from([CA, LEAF])),
    st.tuples(st.just("overwrite"), st.tuples(st.sampled_from(NAMES), st.sampled_from([b"", CAS[0], "%"]))),
    st.tuples(st.just("ask"), st.sampled_from(["ca", "leaf", "x"])),
    st.tuples(st.just("kill"), st.integers(1, 4)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("late"), st.sampled_from([0.0, 3.0, 100.0])),
    st.tuples(st.just("fail"), st.sampled_from([0, 403, 409, 500])),
    st.tuples(st.just("clock"), st.sampled_from([-300, 0, 300])),
)


async def happen(world: World, what: str, how: Any) -> None:
    if what == "time":
        world.pass_time(how)
    elif what == "run":
        await world.run(how)
    elif what == "delete":
        world.api.remove(how)
    elif what == "edit" and how[0] in world.api.objects:
        world.edit_data(how[0], {how[1]: b"junk"})
    elif what == "rigid" and how in world.api.objects:
        world.edit(how, immutable=True)
    elif what == "overwrite" and path(how[0]) in world.api.objects:
        world.edit_bundle(*how)
    elif what == "ask" and CA in world.api.objects:
        world.ask(how)
    elif what == "restart":
        world.restart()
    elif what == "late":
        world.replicas[-1].late = how
    elif what == "clock":
        from datetime import timedelta

        world.skew = timedelta(seconds=how)
    elif what == "kill":
        await killed(world, how)
    elif what == "fail":
        world.api.before = lambda method, p: ApiError(how, "no") if method != "GET" else None
        await world.run(6)
        world.api.before = lambda method, p: None


async def killed(world: World, number: int) -> None:
    """The leader dies after so many writes, if it gets that far."""
    before = len(world.api.done)
    world.api.lose = lambda done: Killed() if done == before + number else None
    try:
        await world.run(30)
    except Killed:
        world.restart()
    world.api.lose = lambda done: None


async def mend(world: World) -> None:
    """The installation is applied again, and time is given."""
    for name in NAMES:
        if path(name) not in world.api.objects:
            world.api.put(path(name), configuration(*name, webhooks=2))
    world.skew *= 0
    # As long as the longest back-off, and the calm after it.
    await world.run(330)
    for replica in world.replicas:
        replica.late = 0.0
    await world.run(60)


@STORIES
@given(st.lists(EVENTS, max_size=12))
@example([("ask", "ca"), ("run", 15), ("delete", CA), ("time", 400 * 86400)])
def test_it_always_comes_together(events: list[tuple[str, Any]]) -> None:
    async def story() -> None:
        world = await installed()
        for what, how in events:
            await happen(world, what, how)
        await mend(world)
        assert world.settled()
        world.watch()
        await world.run(30)

    asyncio.run(story())


# What a cluster does by itself, and what people may do that is meant to be done.
HARMLESS = st.one_of(
    st.tuples(st.just("run"), st.sampled_from([1, 8, 15, 30])),
    st.tuples(st.just("ask"), st.sampled_from(["ca", "leaf"])),
    st.tuples(st.just("kill"), st.integers(1, 4)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("late"), st.sampled_from([0.0, 3.0, 100.0])),
    st.tuples(st.just("fail"), st.sampled_from([0, 403, 409, 500])),
    st.tuples(st.just("delete"), st.sampled_from([CA, LEAF])),
    st.tuples(
        st.just("edit"), st.sampled_from([(CA, "tls.crt"), (CA, "tls.key"), (CA, "next.crt"), (LEAF, "tls.key")])
    ),
    st.tuples(st.just("rigid"), st.sampled_from([CA, LEAF])),
    st.tuples(st.just("time"), st.sampled_from([1, 60, 3600, 86400, 3 * 86400])),
    st.tuples(st.just("clock"), st.sampled_from([-300, 0, 300])),
)


@STORIES
@given(st.lists(HARMLESS, max_size=12))
def test_nobody_is_locked_out_for_a_moment_while_the_ca_bundles_are_left_alone(events: list[tuple[str, Any]]) -> None:
    async def story() -> None:
        world = await installed()
        world.watch()
        for what, how in events:
            await happen(world, what, how)
            await world.run(1)
        await mend(world)
        assert world.settled()

    asyncio.run(story())
