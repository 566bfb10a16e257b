"""The settings of one Pod's proxy, each with its source and all that this overrode. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from webhook.injector.plan import PlannedSetting, Source
from webhook.injector.settings import SETTINGS
from webhook.kube.interface import JSON

MESH: Final = "mesh"
_ANNOTATIONS: Final = {row.field: row.annotation for row in reversed(SETTINGS)}


@dataclass(frozen=True, slots=True)
class ExplainedSetting:
    """A setting: the annotation's key, its value as text, and where that stands: `pod`, `template`, `namespace` or
    `mesh`. `overrides` are the values and sources that would decide without it, the next one first, and `ignored` those
    that come before it and have no effect."""

    name: str
    value: str
    source: str
    overrides: tuple[tuple[str, str], ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> JSON:
        """All of it; `ignored` only where there is something."""
        body: JSON = {"name": self.name, "value": self.value, "source": self.source}
        body["overrides"] = [{"value": value, "source": source} for value, source in self.overrides]
        if self.ignored:
            body["ignored"] = [{"value": value, "source": source} for value, source in self.ignored]
        return body


def explained(
    planned: Iterable[PlannedSetting], on_pod: Collection[str], pod_source: str, *, every: bool
) -> Iterator[ExplainedSetting]:
    """The settings, each annotation once; only those that an annotation decides, unless `every`.

    `on_pod` are the annotations that the Pod itself has; those that it would get from its template are of source
    `template`. `pod_source` is what the Pod itself is called: `pod` or `template`.
    """

    def at(source: Source) -> str:
        if source.at in ("values", "ports"):
            return MESH if source.at == "values" else pod_source
        if source.at == "pod":
            return pod_source if source.name in on_pod else "template"
        return source.at

    told: set[str] = set()
    for setting in planned:
        source = setting.source
        by_annotation = source.at in ("pod", "namespace")
        if not by_annotation and not every and not setting.ignored:
            continue
        name = source.name if by_annotation else _ANNOTATIONS.get(setting.field, "")
        if not name or name in told:
            continue
        told.add(name)
        yield ExplainedSetting(
            name,
            _text(source.value if by_annotation else setting.value),
            at(source),
            tuple((_text(source.value), at(source)) for source in setting.overrode),
            tuple((_text(source.value), at(source)) for source in setting.ignored),
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
