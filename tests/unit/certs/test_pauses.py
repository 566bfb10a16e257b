"""When the leader looks again: soon while something is under way or has failed, else at leisure."""

from __future__ import annotations

import pytest

from certs.bundle_writer import CONFLICT
from certs.reconciler import LATER, SOON, Round
from tests.unit.certs.world import CA, World, installed
from webhook.kube.errors import ApiError


async def test_at_leisure_once_all_is_done() -> None:
    world = await installed()
    assert (await world.round()).pause == LATER


async def test_soon_from_the_request_of_a_ca_to_the_removal_of_the_old_one() -> None:
    world = await installed()
    old = world.certificate(CA)
    world.ask("ca")
    rounds: list[Round] = []
    while not rounds or old in world.bundle():
        rounds.append(await world.round())
        world.pass_time(rounds[-1].pause)
        assert len(rounds) < 500
    assert {element.pause for element in rounds[:-1]} == {SOON}
    assert rounds[-1].pause == LATER
    assert rounds[-1].steps == [
        "removed replaced CAs from the caBundles, as every ready replica's certificate is trusted without"
    ]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (TimeoutError(), "the API server does not answer in time; the next attempt follows"),
        (ApiError(0, "refused"), "no connection to the API server: refused; the next attempt follows"),
    ],
)
async def test_soon_while_the_api_server_is_away(error: Exception, says: str) -> None:
    world = await installed()
    world.api.before = lambda method, path: error
    upkeep_round = await world.round()
    assert (upkeep_round.pause, upkeep_round.problems) == (SOON, [says])


@pytest.mark.parametrize("status", [404, 409])
async def test_sooner_where_a_configuration_has_changed_or_gone_meanwhile(status: int) -> None:
    """And it is not written a second time in the same round, as what is known of it is old."""
    world: World = await installed()
    world.ask("ca")
    world.api.before = lambda method, path: (
        ApiError(status, "changed") if method == "PUT" and "webhookconfigurations" in path else None
    )
    tries = len(world.api.calls)
    result = await world.round()
    assert result.pause == CONFLICT
    assert result.problems == []
    configurations = [path for _, path in world.api.calls[tries:] if "webhookconfigurations" in path]
    assert len(configurations) == len(set(configurations)) > 0
