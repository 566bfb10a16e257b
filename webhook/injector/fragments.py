"""JSON text in parts: each is written when the configuration is loaded, and again only for settings that change it.

Nearly all of an injected container is the same in every Pod of a mesh. A part is a function of the settings. It is
called once with the settings of a Pod without annotations, and the fields that it reads meanwhile are noted: as long as
none of these is changed, it would take the same way to the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import orjson

from webhook.injector.effective import Settings
from webhook.injector.refusal import Refusal

# A pure function of the settings. May raise `Refusal`.
Part = Callable[[Settings], bytes]


class Fragments:
    """A text made of parts, one after the other."""

    def __init__(self, parts: Iterable[Part], defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        self._parts = tuple(parts)
        self._texts: list[bytes] = []
        self._always: list[int] = []
        self._readers: dict[str, tuple[int, ...]] = {}
        for index, part in enumerate(self._parts):
            text, names = _traced(part, defaults)
            self._texts.append(text or b"")
            if text is None:
                self._always.append(index)
            for name in names:
                self._readers[name] = (*self._readers.get(name, ()), index)
        self._whole = b"".join(self._texts)

    def text(self, settings: Settings) -> bytes:
        """The text for these settings. Raises `Refusal`, the first one if there are several."""
        readers = self._readers
        indexes = {index for name in settings.changed if name in readers for index in readers[name]}
        indexes.update(self._always)
        if not indexes:
            return self._whole
        texts = self._texts.copy()
        for index in sorted(indexes):
            texts[index] = self._parts[index](settings)
        return b"".join(texts)


def _traced(part: Part, defaults: Settings) -> tuple[bytes | None, frozenset[str]]:
    """A part's text for the defaults, None where it has none, and the fields that were read for it."""
    reading = _Reading(defaults)
    try:
        return part(cast(Settings, reading)), frozenset(reading.names)
    except (Refusal, orjson.JSONEncodeError):
        # A Pod is refused for that, when one comes.
        return None, frozenset()


class _Reading:
    """Settings that note which of their fields are read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self._settings, name)


def fixed(text: bytes) -> Part:
    """The same text whatever the settings are."""
    return lambda _: text


def members(build: Callable[[Settings], Mapping[str, Any]]) -> Part:
    """Members of an object behind others: `,"key":value` each."""

    def part(settings: Settings) -> bytes:
        entries = build(settings)
        return b"," + orjson.dumps(entries)[1:-1] if entries else b""

    return part


def items(build: Callable[[Settings], Sequence[Any]]) -> Part:
    """Items of an array behind others: `,value` each."""

    def part(settings: Settings) -> bytes:
        entries = build(settings)
        return b"," + orjson.dumps(entries)[1:-1] if entries else b""

    return part
