"""Whatever is wrong with a YAML text: it is told at a place within the text, and nothing else breaks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhook.manifest.load import VALUES, documents
from webhook.yaml.objects import Broken

GOOD = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: "b"}}
spec:
  template:
    spec:
      containers:
      - name: web
        args: ['a', "b\\n", c]
        text: |
          some words
---
{"kind": "Pod", "spec": [1, 2]}
"""
PIECES = st.sampled_from(
    [
        *"\t\n\r\0\x07\x85\u2028\ufeff:-?[]{},&*!|>'\"%@`#\\ é😀",
        *(
            "- ",
            ": ",
            "---",
            "--- ",
            "...",
            "{{",
            "{%",
            "<%",
            "<<",
            "<<<<<<< a\n",
            "%YAML 9\n",
            "\\u12",
            "\\d",
            "!a!b ",
            "\r\n",
        ),
    ]
)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from([GOOD, GOOD.replace("\n", "\r\n"), ""]))
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 0, 1, 5]))
        text = text[:index] + draw(PIECES) + text[index + length :]
    return text


@given(st.one_of(mutants(), mutants(), mutants(), st.text(), st.lists(PIECES).map("".join)))
def test_a_mistake_is_told_at_a_place_within_the_text(text: str) -> None:
    lines = text.splitlines() or [""]
    for one in documents(text, VALUES):
        if isinstance(one, Broken):
            assert 1 <= one.line <= len(lines) + 1
            assert 0 <= one.column <= max(map(len, lines)) + 1
            assert one.message
            assert "\n" not in one.message
