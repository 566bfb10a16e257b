"""How pages are made beside the answers to reviews."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator

import pytest

from tests.kube.fixtures import Clock
from webhook.server.madepages import KEPT, LONGEST, MadePages, packed, pieces_of, takes_gzip, unpacked
from webhook.statuspage.turns import Turns


class Maker:
    """Makes pages, each another one."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self) -> bytes:
        """The next page, after a while."""
        self.made += 1
        number = self.made
        await asyncio.sleep(0)
        return b"page %d" % number


async def test_the_pieces_are_joined_and_others_have_their_turn_between_them() -> None:
    turns: list[int] = []
    made = 0

    def pieces() -> Iterator[str]:
        nonlocal made
        for _ in range(200):
            made += 1
            time.sleep(0.0001)
            yield "ü"

    async def other() -> None:
        while made < 200:
            turns.append(made)
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    page = await packed(pieces(), Turns())
    await beside
    assert len(turns) > 5
    assert unpacked(page) == gzip.decompress(page) == "ü".encode() * 200
    assert await Turns().all_of(pieces()) == ["ü"] * 200


async def test_a_page_of_nothing_can_be_unpacked() -> None:
    assert unpacked(await packed([], Turns())) == b""


@pytest.mark.parametrize(
    ("headers", "takes"),
    [
        ([], False),
        ([""], False),
        (["gzip, deflate, br"], True),
        (["br", "deflate, GZIP;q=0.5"], True),
        (["gzip;q=0"], False),
        (["deflate,gzip ; q = 0.00"], False),
        (["x-gzip-like"], False),
    ],
)
def test_who_does_not_ask_for_gzip_does_not_get_it(headers: list[str], takes: bool) -> None:
    assert takes_gzip(headers) is takes


async def test_those_who_ask_within_a_second_get_the_same_page() -> None:
    clock, make = Clock(), Maker()
    pages = MadePages(clock)
    assert await asyncio.gather(*(pages.get("shop", make) for _ in range(5))) == [b"page 1"] * 5
    clock.now += KEPT / 2
    assert await pages.get("shop", make) == b"page 1"
    clock.now += KEPT
    assert await pages.get("shop", make) == b"page 2"


@pytest.mark.parametrize(
    ("took", "kept"), [(0.01, KEPT), (0.2, 2.0), (60.0, LONGEST)], ids=["quickly", "slowly", "very slowly"]
)
async def test_a_page_that_takes_long_is_shown_longer(took: float, kept: float) -> None:
    clock, maker = Clock(), Maker()

    async def make() -> bytes:
        clock.now += took
        return await maker()

    pages = MadePages(clock)
    await pages.get("shop", make)
    clock.now += kept - 0.01
    assert await pages.get("shop", make) == b"page 1"
    clock.now += 0.02
    assert await pages.get("shop", make) == b"page 2"


async def test_a_long_text_is_packed_piece_by_piece() -> None:
    text = "".join(map(str, range(20_000)))
    assert len(list(pieces_of(text))) > 10
    assert unpacked(await packed(pieces_of(text), Turns())).decode() == text
    assert list(pieces_of("")) == []


async def test_another_question_has_another_page() -> None:
    make = Maker()
    pages = MadePages(Clock())
    assert await pages.get("shop", make) == b"page 1"
    assert await pages.get("kitchen", make) == b"page 2"


async def test_few_pages_are_kept() -> None:
    make = Maker()
    pages = MadePages(Clock())
    for number in range(100):
        await pages.get(number, make)
    assert await pages.get(99, make) == b"page 100"
    assert await pages.get(0, make) == b"page 101"


async def test_a_page_that_cannot_be_made_is_tried_again() -> None:
    async def broken() -> bytes:
        raise ValueError("broken")

    pages = MadePages(Clock())
    with pytest.raises(ValueError, match="broken"):
        await pages.get("shop", broken)
    assert await pages.get("shop", Maker()) == b"page 1"
