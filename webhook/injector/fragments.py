"""JSON text in parts: each is written when the configuration is loaded, and anew only for settings that change it.

Nearly all of an injected container is the same in every Pod of a mesh. A part is a function of the settings. It is
called once with the settings of a Pod without annotations, and the fields that it reads meanwhile are noted: as long as
none of these is changed, it would take the same way to the same text. What Pods do change is remembered likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, cast

import orjson

from webhook.injector.effective import Settings
from webhook.injector.encoded import encode
from webhook.injector.refusal import Refusal

# A pure function of the settings to JSON text that begins and ends between two tokens. May raise `Refusal`.
Part = Callable[[Settings], bytes]


class Fragments:
    """A text made of parts, one after the other, in Base64 (`encoded`)."""

    def __init__(self, parts: Iterable[Part], defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        self._parts = tuple(map(_Remembered, parts))
        self._texts: list[bytes] = []
        self._always: set[int] = set()
        self._readers: dict[str, set[int]] = {}
        for index, part in enumerate(self._parts):
            try:
                self._texts.append(part.text(defaults))
            except (Refusal, orjson.JSONEncodeError):
                # A Pod is refused for that, when one comes.
                self._texts.append(b"")
                self._always.add(index)
            for name in part.names:
                self._readers.setdefault(name, set()).add(index)
        # Pods change the same few settings again and again.
        self._pieces = lru_cache(maxsize=256)(self._divide)

    def text(self, settings: Settings) -> bytes:
        """The text for these settings. Raises `Refusal`, the first one if there are several."""
        pieces = self._pieces(frozenset(settings.changed))
        return b"".join([piece if isinstance(piece, bytes) else piece.text(settings) for piece in pieces])

    def _divide(self, changed: frozenset[str]) -> tuple[bytes | _Remembered, ...]:
        """The text that stays as it is when these fields are changed, and the parts between that depend on them."""
        dependent = self._always.union(*(self._readers.get(name, ()) for name in changed))
        pieces: list[bytes | _Remembered] = []
        for is_dependent, indexes in groupby(range(len(self._parts)), dependent.__contains__):
            if is_dependent:
                pieces += [self._parts[index] for index in indexes]
            else:
                pieces.append(b"".join(self._texts[index] for index in indexes))
        return tuple(pieces)


class _Remembered:
    """A part, with the texts that it had last.

    They are remembered by the values of all fields that the part was ever seen to read. Another text can come of the
    same values only by way of another field, and whenever one is read for the first time, all texts are forgotten.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._names: frozenset[str] = frozenset()
        self._values: Callable[[Mapping[str, Any]], Any] = _no_values
        self._texts: dict[Any, bytes] = {}

    @property
    def names(self) -> frozenset[str]:
        """The fields that it was seen to read."""
        return self._names

    def text(self, settings: Settings) -> bytes:
        """Its text for these settings, in Base64. Raises `Refusal`."""
        values, texts = self._values(settings.__dict__), self._texts
        try:
            text = texts.get(values)
        except TypeError:
            # Lists and maps have no hash: these settings are rare.
            return encode(self._part(settings))
        if text is None:
            reading = _Reading(settings)
            try:
                text = encode(self._part(cast(Settings, reading)))
            finally:
                if not reading.names <= self._names:
                    self._read_also(reading.names)
            if self._texts is texts:
                if len(texts) >= _REMEMBERED:
                    texts.clear()
                texts[values] = text
        return text

    def _read_also(self, names: set[str]) -> None:
        self._names |= names
        self._values = itemgetter(*self._names)
        self._texts = {}


_REMEMBERED: Final = 64


def _no_values(_fields: Mapping[str, Any]) -> None:
    return None


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
