"""Which kinds of an API group the API server serves, and where: CRDs come and go while the webhook runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import quote

from webhook.kube.api import PLAIN, ApiServer


async def collections(api: ApiServer, group: str, kinds: Collection[str]) -> dict[str, str]:
    """The path of each kind's collection over all Namespaces, in the version that the API server puts first; kinds that
    cannot be listed and watched are left out. Raises `ApiError` and `TimeoutError`."""
    found: dict[str, str] = {}
    for version in _versions(await _get(api, f"/apis/{group}")):
        root = f"/apis/{group}/{quote(version, safe='')}"
        for kind, plural in _resources(await _get(api, root)):
            if kind in kinds:
                found.setdefault(kind, f"{root}/{quote(plural, safe='')}")
        if len(found) == len(kinds):
            break
    return found


async def _get(api: ApiServer, path: str) -> dict[str, Any]:
    """A document of the discovery; empty where there is none, for the group has no CRD (any more)."""
    return await api.find(path, PLAIN) or {}


def _versions(body: dict[str, Any]) -> Iterator[str]:
    """The versions of an APIGroup, the preferred one first."""
    for each in _dicts(body.get("versions")):
        version = each.get("version")
        if isinstance(version, str) and version:
            yield version


def _resources(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and plural of an APIResourceList's resources that can be watched."""
    for each in _dicts(body.get("resources")):
        kind, plural, verbs = each.get("kind"), each.get("name"), each.get("verbs")
        if not isinstance(kind, str) or not isinstance(plural, str) or "/" in plural:
            continue
        if isinstance(verbs, list) and "list" in verbs and "watch" in verbs:
            yield kind, plural


def _dicts(found: Any) -> Iterator[dict[str, Any]]:
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else iter(())
