"""The API server of the tests: it refuses what a real one refuses, else nobody would see a fault of ours."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.kube.store import MERGE_PATCH, Request, Store
from tests.waiting import until
from webhook.kube.api import PLAIN
from webhook.kube.errors import ApiError, Conflict, NotFound

MAPS = "/api/v1/namespaces/shop/configmaps"
PATH = f"{MAPS}/a"


@pytest.fixture
def store() -> Store:
    """With one ConfigMap."""
    store = Store()
    store.put(PATH, {"kind": "ConfigMap", "metadata": {"labels": {"app": "web"}}, "data": {"k": "v"}})
    return store


class TestWriting:
    async def test_a_write_from_an_older_version_is_a_conflict_and_changes_nothing(self, store: Store) -> None:
        read = await store.send("GET", PATH)
        written = await store.send("PUT", PATH, {**read, "data": {"k": "w"}})
        assert int(written["metadata"]["resourceVersion"]) > int(read["metadata"]["resourceVersion"])
        for method, body in (("PUT", read), ("PATCH", {"metadata": read["metadata"]})):
            with pytest.raises(Conflict):
                await store.send(method, PATH, body, MERGE_PATCH)
        with pytest.raises(Conflict):
            await store.send("DELETE", PATH, {"preconditions": {"resourceVersion": "1"}})
        assert store.objects[PATH] == written
        assert store.writes == [("PUT", PATH)]

    async def test_an_update_without_a_version_is_refused(self, store: Store) -> None:
        with pytest.raises(ApiError, match="must be specified for an update"):
            await store.send("PUT", PATH, {"metadata": {"name": "a"}})

    async def test_what_is_there_is_not_created_and_what_is_not_is_not_changed(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.send("POST", MAPS, {"metadata": {"name": "a"}})
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            with pytest.raises(NotFound):
                await store.send(method, f"{MAPS}/b", {"metadata": {"resourceVersion": "1"}}, MERGE_PATCH)
        assert await store.find(f"{MAPS}/b") is None

    async def test_a_merge_patch_changes_what_it_names_and_takes_away_what_is_null(self, store: Store) -> None:
        body = {"metadata": {"labels": {"app": None, "b": "c"}}}
        with pytest.raises(ApiError, match="unknown format"):
            await store.send("PATCH", PATH, body)
        patched = await store.send("PATCH", PATH, body, MERGE_PATCH)
        assert (patched["metadata"]["labels"], patched["data"]) == ({"b": "c"}, {"k": "v"})

    async def test_a_dry_run_shows_what_the_webhooks_make_of_it_and_keeps_nothing(self, store: Store) -> None:
        store.admit = lambda body: {**body, "data": {}}
        before = dict(store.objects[PATH])
        body = await store.send("PATCH", PATH, {"data": {"x": "y"}}, MERGE_PATCH, {"dryRun": "All"})
        assert body["data"] == {}
        assert store.objects[PATH] == before

    async def test_what_was_read_is_nobody_else_s(self, store: Store) -> None:
        (await store.send("GET", PATH))["data"]["k"] = "mine"
        assert store.objects[PATH]["data"] == {"k": "v"}


class TestReading:
    async def test_a_list_is_of_one_namespace_or_of_all_and_chosen_by_labels_and_fields(self, store: Store) -> None:
        store.add("/api/v1/configmaps", "bank", "b")

        async def names(path: str, **query: str) -> list[str]:
            return [item["metadata"]["name"] for item in (await store.get(path, query))["items"]]

        assert await names("/api/v1/configmaps") == ["b", "a"]
        assert await names(MAPS) == ["a"]
        assert await names("/api/v1/configmaps", labelSelector="app=web") == ["a"]
        assert await names("/api/v1/configmaps", fieldSelector="metadata.name=b") == ["b"]

    async def test_a_list_comes_in_pages_no_larger_than_asked_for(self, store: Store) -> None:
        for name in "bcde":
            store.put(f"{MAPS}/{name}", {})
        store.page = 3
        first = await store.get(MAPS)
        second = await store.get(MAPS, {"continue": first["metadata"]["continue"]})
        assert [len(page["items"]) for page in (first, second)] == [3, 2]
        assert "continue" not in second["metadata"]
        assert len((await store.get(MAPS, {"limit": "1"}))["items"]) == 1

    async def test_whoever_does_not_ask_for_the_whole_gets_the_metadata_alone(self, store: Store) -> None:
        assert set(await store.get(PATH)) == {"kind", "metadata"}
        assert set(await store.get(PATH, accept=PLAIN)) == {"kind", "metadata", "data"}

    async def test_a_kind_without_a_crd_is_not_there(self, store: Store) -> None:
        path = "/apis/policy.linkerd.io/v1beta3/servers"
        with pytest.raises(NotFound):
            await store.get(path)
        store.serve("policy.linkerd.io", "v1beta3", "Server")
        assert (await store.get(path))["items"] == []


class TestWatching:
    async def events(self, store: Store, since: str, count: int, **query: str) -> list[Any]:
        """What a watch tells first."""
        request = Request("GET", MAPS, {"resourceVersion": since, **query})
        async with asyncio.timeout(10), store.watch(request) as lines:
            return [json.loads(await anext(lines)) for _ in range(count)]

    async def test_tells_what_was_written_since_the_version_that_it_asks_for(self, store: Store) -> None:
        since = (await store.get(MAPS))["metadata"]["resourceVersion"]
        store.put(f"{MAPS}/b", {})
        store.put("/api/v1/namespaces/bank/configmaps/c", {})
        store.put(PATH, {})
        store.remove(PATH)
        events = await self.events(store, since, 3)
        told = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
        assert told == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")]

    async def test_tells_only_what_it_asks_for(self, store: Store) -> None:
        since = (await store.get(MAPS))["metadata"]["resourceVersion"]
        for name in "bc":
            store.put(f"{MAPS}/{name}", {"data": {}})
        [event] = await self.events(store, since, 1, fieldSelector="metadata.name=c")
        assert event["object"]["metadata"]["name"] == "c"

    async def test_tells_what_is_written_while_it_is_open(self, store: Store) -> None:
        since = (await store.get(MAPS))["metadata"]["resourceVersion"]
        waiting = asyncio.create_task(self.events(store, since, 1))
        await until(lambda: store.streams.get(MAPS))
        store.put(PATH, {"data": {}})
        [event] = await waiting
        assert (event["type"], event["object"]["data"]) == ("MODIFIED", {})


class TestFailing:
    async def test_what_fails_is_recorded_and_not_done(self, store: Store) -> None:
        store.failures[f"DELETE {PATH}"] = ApiError(403, "no")
        with pytest.raises(ApiError, match="no"):
            await store.send("DELETE", PATH)
        assert (store.calls, store.writes) == ([("DELETE", PATH)], [])
        assert await store.find(PATH) is not None

    async def test_an_answer_that_is_lost_was_done_all_the_same(self, store: Store) -> None:
        store.lose = lambda number: TimeoutError() if number == 1 else None
        with pytest.raises(TimeoutError):
            await store.send("DELETE", PATH)
        assert store.writes == [("DELETE", PATH)]
        assert PATH not in store.objects
