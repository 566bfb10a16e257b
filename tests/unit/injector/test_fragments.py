"""Text in parts is what the parts would write anew, whatever they wrote before."""

from __future__ import annotations

import random
from base64 import b64decode
from typing import Any

import orjson
import pytest

from tests.unit.injector.builders import EDGE, injector
from webhook.injector.effective import Settings
from webhook.injector.fragments import Arrangement, Fragments, OfFields, Part, fixed, members
from webhook.injector.refusal import Refusal


@pytest.fixture
def defaults() -> Settings:
    """The settings of a Pod without annotations."""
    return injector(EDGE)._resolver.defaults


def changed(defaults: Settings, **fields: Any) -> Settings:
    """Settings with these fields changed."""
    return defaults.with_changes(fields)


def text_of(fragments: Fragments, settings: Settings) -> bytes:
    """The text for these settings."""
    return b"".join(Arrangement(fragments.pieces(settings.changed)).texts(settings))


def decoded(text: bytes) -> Any:
    """The object that the parts write."""
    return orjson.loads(b64decode(text, validate=True))


def uid_or_level(settings: Settings) -> dict[str, Any]:
    """Reads another field only where the first one says so."""
    return {"uid": settings.uid} if settings.debug else {"level": settings.log_level}


PARTS: list[Part] = [fixed(b'{"a":1'), members(uid_or_level), members(lambda s: {"env": s.additional_env}), fixed(b"}")]


def test_the_text_is_that_of_the_settings_in_whatever_order_they_come(defaults: Settings) -> None:
    fragments = Fragments(PARTS, defaults)
    chance = random.Random(1)
    for _ in range(500):
        fields: dict[str, Any] = {
            "debug": chance.random() < 0.5,
            "uid": chance.randrange(3),
            "log_level": chance.choice(["warn", "info"]),
            "additional_env": [{"name": "A", "value": str(chance.randrange(2))}],
        }
        settings = changed(defaults, **dict(chance.sample(sorted(fields.items()), chance.randrange(5))))
        assert decoded(text_of(fragments, settings)) == {
            "a": 1,
            **uid_or_level(settings),
            "env": settings.additional_env,
        }


def test_more_settings_than_are_remembered_have_their_own_text_each(defaults: Settings) -> None:
    fragments = Fragments(PARTS, defaults)
    for uid in (*range(300), *range(300)):
        assert decoded(text_of(fragments, changed(defaults, debug=True, uid=uid)))["uid"] == uid


def test_a_part_is_written_once_for_the_same_settings(defaults: Settings) -> None:
    calls = []

    def counted(settings: Settings) -> dict[str, Any]:
        calls.append(settings.uid)
        return {"uid": settings.uid}

    fragments = Fragments([fixed(b'{"a":1'), members(counted), fixed(b"}")], defaults)
    for _ in range(3):
        assert decoded(text_of(fragments, changed(defaults, uid=7)))["uid"] == 7
        assert decoded(text_of(fragments, changed(defaults, log_level="info")))["uid"] == defaults.uid
    assert calls == [defaults.uid, 7]


def test_a_part_that_refuses_refuses_each_time_and_writes_for_the_others(defaults: Settings) -> None:
    def strict(settings: Settings) -> dict[str, Any]:
        if settings.uid == 0:
            raise Refusal("no root")
        return {"uid": settings.uid}

    fragments = Fragments([fixed(b'{"a":1'), members(strict), fixed(b"}")], changed(defaults, uid=0))
    for _ in range(2):
        with pytest.raises(Refusal):
            text_of(fragments, changed(defaults, uid=0))
        assert decoded(text_of(fragments, changed(defaults, uid=5)))["uid"] == 5


def test_texts_that_share_a_part_write_it_once_for_a_pod(defaults: Settings) -> None:
    calls = []

    def counted(uid: int, gid: int) -> bytes:
        calls.append(uid)
        return b',"uid":%d,"gid":%d' % (uid, gid)

    part = OfFields(["uid", "gid"], counted)
    both = [Fragments([fixed(b'{"a":1'), part, fixed(b"}")], defaults) for _ in range(2)]
    for fragments in both:
        assert decoded(text_of(fragments, changed(defaults, uid=7)))["uid"] == 7
        assert decoded(text_of(fragments, changed(defaults, gid=8)))["gid"] == 8
    assert calls == [defaults.uid, defaults.uid, 7, defaults.uid]
