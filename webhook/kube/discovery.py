"""Which kinds of an API group the API server serves, and under which paths.

CRDs may be installed and removed while the webhook runs, so callers ask again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import quote

from webhook.kube.api import PLAIN, ApiServer


async def collections(api: ApiServer, group: str, kinds: Collection[str]) -> dict[str, str]:
    """The paths of the kinds' collections over all Namespaces, by kind, in the version that the API server prefers.

    Kinds that the API server does not serve, or that cannot be listed and watched, are left out. Raises `ApiError` and
    `TimeoutError`.
    """
    paths: dict[str, str] = {}
    for version in _versions(await _get(api, f"/apis/{group}")):
        root = f"/apis/{group}/{quote(version, safe='')}"
        for kind, plural in _resources(await _get(api, root)):
            if kind in kinds:
                paths.setdefault(kind, f"{root}/{quote(plural, safe='')}")
        if len(paths) == len(kinds):
            break
    return paths


async def _get(api: ApiServer, path: str) -> dict[str, Any]:
    """A discovery document; {} if the API server does not serve the group, because its CRDs are not installed."""
    return await api.find(path, PLAIN) or {}


def _versions(body: dict[str, Any]) -> Iterator[str]:
    """The versions of an APIGroup, the preferred one first."""
    for entry in _dicts(body.get("versions")):
        version = entry.get("version")
        if isinstance(version, str) and version:
            yield version


def _resources(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and plural of those resources of an APIResourceList that can be listed and watched."""
    for resource in _dicts(body.get("resources")):
        kind, plural, verbs = resource.get("kind"), resource.get("name"), resource.get("verbs")
        if not isinstance(kind, str) or not isinstance(plural, str) or "/" in plural:
            continue
        if isinstance(verbs, list) and "list" in verbs and "watch" in verbs:
            yield kind, plural


def _dicts(items: Any) -> Iterator[dict[str, Any]]:
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())
