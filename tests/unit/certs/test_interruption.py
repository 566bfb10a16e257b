"""The leader dies after any one of its writes, and another goes on from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.kube.store import Killed
from tests.unit.certs.world import CA, LEAF, World, installed


async def first_start() -> World:
    return World()


async def leaf_renewal() -> World:
    world = await installed()
    world.watch()
    world.pass_time(22 * 86400)
    return world


async def ca_rotation() -> World:
    world = await installed()
    world.watch()
    world.replicas[1].late = 15.0
    world.ask("ca")
    return world


async def leaf_wish() -> World:
    world = await installed()
    world.watch()
    world.ask("leaf")
    return world


async def immutable_secrets() -> World:
    world = await installed()
    world.watch()
    world.edit(CA, immutable=True)
    world.edit(LEAF, type="Opaque")
    world.ask("ca")
    return world


STORIES = [
    *((first_start, number) for number in range(1, 6)),
    *((leaf_renewal, number) for number in range(1, 2)),
    *((leaf_wish, number) for number in range(1, 3)),
    *((ca_rotation, number) for number in range(1, 10)),
    *((immutable_secrets, number) for number in range(1, 12)),
]
WRITES = {first_start: 5, leaf_renewal: 1, leaf_wish: 2, ca_rotation: 9, immutable_secrets: 11}


@pytest.mark.parametrize("story", WRITES, ids=lambda story: story.__name__)
async def test_each_story_has_so_many_writes(story: Callable[[], Coroutine[Any, Any, World]]) -> None:
    """Else the numbers below would miss some."""
    world = await story()
    world.api.requests.clear()
    await world.run(120)
    assert world.settled()
    assert len(world.api.calls) == WRITES[story]


@pytest.mark.parametrize("how", ["killed", "the answer is lost"])
@pytest.mark.parametrize(("story", "number"), STORIES, ids=lambda element: getattr(element, "__name__", str(element)))
async def test_it_ends_well_and_nobody_is_locked_out_on_the_way(
    story: Callable[..., object], number: int, how: str
) -> None:
    world = await story()  # type: ignore[misc]
    before = len(world.api.done)
    error = Killed if how == "killed" else TimeoutError
    world.api.lose = lambda done: error() if done == before + number else None
    if how == "killed":
        with pytest.raises(Killed):
            await world.run(120)
        world.restart()
    await world.run(120)
    assert world.settled()


async def test_a_leader_that_dies_again_and_again_still_gets_there() -> None:
    """One write a life."""
    world = await ca_rotation()
    world.api.lose = lambda done: Killed()
    for _ in range(60):
        world.restart()
        try:
            await world.run(30)
        except Killed:
            world.pass_time(1)
    world.api.lose = lambda done: None
    assert world.settled()
