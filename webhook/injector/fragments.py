"""JSON text in parts: each is written when the configuration is loaded, and anew only for settings that change it.

Nearly all of an injected container is the same in every Pod of a mesh. A part is a function of the settings. It is
called once with the settings of a Pod without annotations, and the fields that it reads meanwhile are noted: as long as
none of these is changed, it would take the same way to the same text. What Pods do change is remembered likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, cast

import orjson

from webhook.injector.effective import Settings
from webhook.injector.encoded import ENCODED_MOUNT, encode
from webhook.injector.refusal import Refusal

# A pure function of the settings to JSON text that begins and ends between two tokens. May raise `Refusal`.
Part = Callable[[Settings], bytes]


class Fragments:
    """A text made of parts, one after the other, in Base64 (`encoded`)."""

    def __init__(self, parts: Iterable[Part | Remembered], defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations. What is `Remembered` may be part of several texts,
        which then have its memory in common."""
        self._parts = tuple(part if isinstance(part, Remembered) else _Watched(part) for part in parts)
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

    def pieces(self, changed: Iterable[str]) -> list[Piece]:
        """The text that stays as it is when these fields are changed, and the parts between that depend on them."""
        dependent = self._always.union(*(self._readers.get(name, ()) for name in changed))
        both = enumerate(zip(self._parts, self._texts, strict=True))
        return [part if index in dependent else text for index, (part, text) in both]


class Remembered:
    """A part, with the texts that it had last, by the values of the fields that it depends on."""

    __slots__ = ("names", "texts", "values")

    def __init__(self, names: Collection[str]) -> None:
        """`names` are the fields that it depends on."""
        self.depend_on(names)

    def depend_on(self, names: Collection[str]) -> None:
        """Depend on these fields only from now on, and forget all texts."""
        self.names = frozenset(names)
        self.values: Callable[[Mapping[str, Any]], Any] = itemgetter(*names) if names else _no_values
        self.texts: dict[Any, bytes] = {}

    def text(self, settings: Settings) -> bytes:
        """Its text for these settings, in Base64, also where it is not remembered. Raises `Refusal`."""
        texts, values = self.texts, self.values(settings.__dict__)
        text = self.write(settings, values)
        try:
            # Other texts since then: it depends on more fields than was known.
            if self.texts is texts:
                if len(texts) >= _REMEMBERED:
                    texts.clear()
                texts[values] = text
        except TypeError:
            # Lists and maps have no hash: these settings are rare.
            return text
        return text

    def write(self, settings: Settings, values: Any) -> bytes:
        """Its text, written anew; `values` are those of `names`."""
        raise NotImplementedError


# What a text is put together from: text in Base64 that is there already, and what depends on the settings.
Piece = bytes | Remembered


class Arrangement:
    """Pieces one after the other, to be joined for many Pods."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._texts: list[bytes] = []
        self._dependent: list[tuple[int, Remembered]] = []
        for is_text, run in groupby(pieces, lambda piece: isinstance(piece, bytes) and piece != ENCODED_MOUNT):
            if is_text:
                self._texts.append(b"".join(cast(Iterable[bytes], run)))
                continue
            for piece in run:
                if isinstance(piece, bytes):
                    self._texts.append(piece)
                else:
                    self._dependent.append((len(self._texts), piece))
                    self._texts.append(b"")

    def texts(self, settings: Settings) -> list[bytes]:
        """The text for these settings, in pieces that most Pods share. Raises `Refusal`, the first one if there are
        several."""
        texts, fields = self._texts.copy(), settings.__dict__
        for index, part in self._dependent:
            try:
                text = part.texts.get(part.values(fields))
            except TypeError:
                text = None
            texts[index] = part.text(settings) if text is None else text
        return texts


class OfFields(Remembered):
    """A part that depends on a few fields only: it is a function of their values, and sees nothing else."""

    __slots__ = ("_build",)

    def __init__(self, names: Sequence[str], build: Callable[..., bytes]) -> None:
        """`names` are two fields or more; `build` gets their values in this order."""
        super().__init__(names)
        self._build = build

    def write(self, settings: Settings, values: Any) -> bytes:
        return encode(self._build(*values))


class _Watched(Remembered):
    """A part that finds out which fields it depends on.

    Its texts are remembered by the values of all fields that it was ever seen to read. Another text can come of the
    same values only by way of another field, and whenever one is read for the first time, all texts are forgotten.
    """

    __slots__ = ("_part",)

    def __init__(self, part: Part) -> None:
        super().__init__(())
        self._part = part

    def write(self, settings: Settings, values: Any) -> bytes:
        reading = _Reading(settings)
        try:
            return encode(self._part(cast(Settings, reading)))
        finally:
            if not reading.names <= self.names:
                self.depend_on(self.names | reading.names)


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
