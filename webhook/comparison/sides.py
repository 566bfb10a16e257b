"""Injectors for the two releases of a comparison, and for each release between them where something begins or ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from webhook.injector.inject import Injector
from webhook.injector.owner import Root
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh import releases
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.mesh.gostruct import YAML
from webhook.mesh.releases import Line
from webhook.mesh.values import Values, known_to
from webhook.review import JSON
from webhook.yaml import objects


class Given(NamedTuple):
    """A Pod to inject, with what the injector has to know. `name` is that of the object that it comes from, and `root`
    the last of its owners, None where the Pod tells that itself."""

    name: str
    pod: JSON
    subject: Subject
    namespace: Namespace
    workload: tuple[str, str] | None
    root: Root | None = None


@dataclass(frozen=True)
class Side:
    """A release and its values. `name` is what it was asked for by."""

    name: str
    line: Line
    values: JSON
    linkerd_namespace: str = "linkerd"

    @property
    def linkerd_version(self) -> str:
        """The version by which its proxies are called."""
        version = self.values.get("linkerdVersion")
        return version if isinstance(version, str) and version else self.line.release.name


@dataclass(frozen=True)
class Step:
    """A release on the way, with the values that are in force there. `since` names it, empty for the two ends."""

    since: str
    line: Line
    values: JSON
    mesh: Mesh
    _made: list[Injector | None] = field(default_factory=list)

    @property
    def injector(self) -> Injector | None:
        """Its injector, made when it is first asked for; None where these values are none of that release's."""
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def _make(self) -> Injector | None:
        try:
            values = Values.model_validate(known_to(self.line, self.values), context=YAML)
        except ValidationError:
            return None
        return Injector(replace(self.mesh, line=self.line, values=values))


class Walk:
    """The way from one release to the other: both ends, and what lies between.

    Whichever is older, the way is walked upwards. The values change at its two ends, not on it: what differs there
    comes from them and not from a release.
    """

    def __init__(self, before: Side, after: Side) -> None:
        self.before = before
        self.after = after
        self.is_downgrade = after.line.release < before.line.release
        older, newer = (after, before) if self.is_downgrade else (before, after)
        both = merged(older.values, newer.values)
        boundaries = releases.between(older.line.release, newer.line.release)
        mesh = loaded(newer)
        self.steps = [
            Step("", older.line, older.values, loaded(older)),
            Step("", older.line, both, mesh),
            *(Step(boundary.name, boundary.line, both, mesh) for boundary in boundaries),
            Step("", newer.line, newer.values, mesh),
        ]

    @property
    def ends(self) -> tuple[Step, Step]:
        """The two releases, first the one before the change."""
        older, newer = self.steps[0], self.steps[-1]
        return (newer, older) if self.is_downgrade else (older, newer)

    def since(self, at: Callable[[Step], Any]) -> str:
        """The releases with which something became what it is, in words; empty where no release did.

        `at` gives what there is in a release; None for what cannot be told, which at the two ends it always can. It is
        asked from the newer release downwards, no further than need be. What came and went on the way does not count,
        nor how something changed before it went.
        """
        first, value = at(self.steps[0]), at(self.steps[-1])
        # Of what was added or removed it counts when it came for good, or was there last; not how it changed besides.
        by_presence = first is ABSENT or value is ABSENT

        def is_first(one: Any) -> bool:
            return (one is ABSENT) == (first is ABSENT) if by_presence else bool(one == first)

        if is_first(value):
            return ""
        name, names = self.steps[-1].since, list[str]()
        for step in reversed(self.steps[:-1]):
            below = at(step)
            if below is None:
                continue
            if is_first(below):
                names.append(name)
                break
            if below != value and not by_presence:
                names.append(name)
            name, value = step.since, below
        return _together([name for name in reversed(names) if name])


def _together(names: list[str]) -> str:
    """The names of releases, the line that they share named once: `edge-24.6.2, edge-24.8.1 (version-2.16)`."""
    shown = [
        name.partition(" (")[0] if name.partition(" (")[2] == following.partition(" (")[2] else name
        for name, following in zip(names, (*names[1:], ""), strict=False)
    ]
    return ", ".join(shown)


ABSENT: Final = ("nothing",)
"""What `Walk.since` takes for the absence of something."""


def side(
    name: str, values: JSON | None, linkerd_namespace: str = "linkerd", *, kept: JSON | None = None
) -> tuple[Side, str]:
    """A release by its name, and a warning where that is newer than all that are known.

    `values` are its values; None stands for its defaults, under `kept`: the values of the release before, as an upgrade
    keeps them. Raises `ValueError` for a name that names no release.
    """
    chosen = releases.choose(name, values)
    if values is None:
        values = defaults(name, chosen.line)
        if kept is not None:
            values = _upgraded(values, kept)
    return Side(name, chosen.line, values, linkerd_namespace), chosen.warning


def defaults(name: str, line: Line) -> JSON:
    """The values of a release without any setting."""
    known = name if name in releases.LINES else line.release.name
    values = objects.read(default_values(known).decode())
    assert isinstance(values, dict)  # noqa: S101 - it is our own file
    return values


def loaded(of: Side) -> Mesh:
    """Its configuration. Raises `ConfigError` for values that Linkerd cannot read either."""
    return Mesh.load(
        json.dumps(of.values).encode(),
        default_trust_anchors(),
        linkerd_namespace=of.linkerd_namespace,
        release_line=of.line.release.name,
    )


def _upgraded(defaults: JSON, kept: JSON) -> JSON:
    """The values after an upgrade that keeps those that there were: what is new has its default, and what named the
    release before names the new one."""
    version, old = defaults["linkerdVersion"], kept.get("linkerdVersion")
    values = merged(defaults, kept)
    values["linkerdVersion"] = version
    for section in ("proxy", "debugContainer"):
        part = values.get(section)
        image = part.get("image") if isinstance(part, dict) else None
        if isinstance(image, dict) and old and image.get("version") == old:
            image["version"] = version
    return values


def merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> JSON:
    """All keys of both, section by section; where both have one, the value of `upper`."""
    out = deepcopy(dict(lower))
    for key, value in upper.items():
        below = out.get(key)
        out[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else deepcopy(value)
    return out


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of values: dotted key and value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
