"""`install --adopt --again`: Linkerd's configurations that somebody has pointed elsewhere."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.kube.store import Store
from webhook.install.adoption import ADOPTED_FROM, LINKERD_CONFIGURATIONS, TAP_INJECTOR
from webhook.kube.api import ApiServer
from webhook.kube.errors import Conflict
from webhook.kube.webhookconfigurations import path
from webhook.upkeep.adoption import AdoptedAgain, adopt_again

from .conftest import SERVICE, configuration, webhook

PATHS = [path(name) for name in LINKERD_CONFIGURATIONS]


def stored(annotations: dict[str, str], service: str = "linkerd-proxy-injector") -> Store:
    """An API server with Linkerd's configurations, which point at this Service."""
    store = Store()
    for name in LINKERD_CONFIGURATIONS:
        store.put(path(name), configuration(name, webhook("a", service=service), annotations=annotations))
    return store


async def again(store: Store) -> list[AdoptedAgain]:
    """What the command does."""
    return await adopt_again(cast("ApiServer", store), SERVICE)


class TestAdoptingAgain:
    async def test_the_annotation_is_removed_where_it_points_elsewhere(self) -> None:
        store = stored({ADOPTED_FROM: "{}", "example.org/kept": "yes"})
        done = await again(store)
        assert store.writes == [("PATCH", path) for path in PATHS]
        assert [store.objects[path]["metadata"]["annotations"] for path in PATHS] == [{"example.org/kept": "yes"}] * 3
        assert all("removed" in outcome.sentence and outcome.exists for outcome in done)

    async def test_an_extension_s_is_adopted_again_as_well(self) -> None:
        store = stored({})
        body = configuration(TAP_INJECTOR, webhook("a", service="tap-injector"), annotations={ADOPTED_FROM: "{}"})
        store.put(path(TAP_INJECTOR), body)
        done = await again(store)
        assert store.writes == [("PATCH", path(TAP_INJECTOR))]
        assert [outcome.sentence for outcome in done if TAP_INJECTOR[1] in outcome.sentence]

    async def test_what_somebody_writes_in_between_is_not_lost(self) -> None:
        store = stored({ADOPTED_FROM: "{}"})

        def write(method: str, where: str) -> None:
            if method == "PATCH":
                body: Any = store.objects[where]
                store.put(where, {**body, "webhooks": []})

        store.before = write
        with pytest.raises(Conflict):
            await again(store)

    @pytest.mark.parametrize(
        ("annotations", "service", "says"),
        [
            ({ADOPTED_FROM: "{}"}, SERVICE.name, "points at linkerd/linkerd-webhook: left as it is"),
            ({}, "linkerd-proxy-injector", "was not adopted, or the server adopts it soon: left as it is"),
        ],
    )
    async def test_what_points_here_and_what_was_never_adopted_is_left_alone(
        self, annotations: dict[str, str], service: str, says: str
    ) -> None:
        store = stored(annotations, service)
        assert all(finding.sentence.endswith(says) for finding in await again(store))
        assert store.writes == []

    async def test_configurations_that_do_not_exist_are_named(self) -> None:
        done = await again(Store())
        assert [outcome.sentence for outcome in done] == [
            f"{kind} {name}: not found" for kind, name in LINKERD_CONFIGURATIONS
        ]
        assert not any(outcome.exists for outcome in done)
