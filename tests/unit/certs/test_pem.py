"""PEM: each row was seen to come out so of Go's `pem.Decode`."""

from __future__ import annotations

import time

import pytest

from certs.pem import Block, blocks

A = b"-----BEGIN A-----\nAAAA\n-----END A-----\n"
B = b"-----BEGIN B-----\nBBBB\n-----END B-----\n"
OPEN = b"-----BEGIN A-----\nAAAA\n"


def types(data: bytes) -> str:
    """The types of the blocks that can be read."""
    return " ".join(block.type for block in blocks(data) if isinstance(block, Block) and block.content is not None)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (A + B, "A B"),
        (b"text\n" + A + b"more\n" + B + b"end", "A B"),
        (A.replace(b"\n", b"\r\n") + B, "A B"),
        (A.rstrip(), "A"),
        (A.replace(b"AAAA", b" AA\tAA "), "A"),
        (A.replace(b"A-----\n", b"A----- \t\n"), "A"),
        (OPEN + B, "B"),
        (OPEN + OPEN + B + OPEN, "B"),
        (b"-----BEGIN A-----\n" + B, "B"),
        (b"-----END A-----\n" + B, "B"),
        (b"x" + A + B, "B"),
        (A.replace(b"\n-----END", b"-----END") + B, "B"),
        (A.replace(b"END A", b"END B") + B, "B"),
        (A.replace(b"END A-----", b"END A-----x") + B, "B"),
        (A.replace(b"AAAA", b"AAA") + B, "B"),
        (A.replace(b"AAAA", b"AAAA=") + B, "B"),
        (A.replace(b"AAAA", b"A!AA") + B, "B"),
        (A.replace(b"AAAA", b"k: v\n\nAAAA"), "A"),
        (A.replace(b"AAAA", b"k: v") + B, "B"),
        (b"-----BEGIN A-----\n-----END A-----\n" + B, "A B"),
        (b"-----BEGIN A\nAAAA\n-----END A-----\n" + B, "B"),
        (b"-----BEGIN A-----\nk: v\n", ""),
        (b"", ""),
        (b"-----BEGIN ", ""),
    ],
)
def test_blocks_are_those_that_go_finds(data: bytes, text: str) -> None:
    assert types(data) == text


def test_what_cannot_be_read_and_text_come_in_their_places() -> None:
    result = list(blocks(b"one\n" + OPEN + B + A.replace(b"AAAA", b"!") + b"two\n" + A + b"three"))
    shown = [finding if isinstance(finding, bytes) else (finding.type, finding.content) for finding in result]
    assert shown == [b"one", ("A", None), ("B", b"\x04\x10A"), ("A", None), b"two", ("A", b"\x00\x00\x00"), b"three"]


def test_a_block_tells_whether_it_has_headers() -> None:
    (one,) = blocks(A.replace(b"AAAA", b"k: v\n\nAAAA"))
    (other,) = blocks(A)
    assert isinstance(one, Block)
    assert isinstance(other, Block)
    assert (one.headers, other.headers) == (True, False)


@pytest.mark.parametrize("part", [OPEN, A, b"-----END A-----\n", b"-----BEGIN ", b"\n-----END ", b"a: b\n"])
def test_a_megabyte_of_anything_takes_no_more_than_a_moment(part: bytes) -> None:
    start = time.process_time()
    list(blocks(part * (1_000_000 // len(part))))
    assert time.process_time() - start < 3
