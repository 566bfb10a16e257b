"""What became of one object of a manifest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final, Literal, NamedTuple

import msgspec

from webhook.kube.fields import text
from webhook.meshing.kinds import name_of
from webhook.review import JSON

# What a warning is about.
HOST_NETWORK: Final = "hostNetwork"
SIDECAR: Final = "sidecar"
DISABLED: Final = "disabled"
UDP: Final = "udp"
NO_TOKEN: Final = "token"  # noqa: S105 - the name of a warning

Keys = tuple[str | int, ...]
Verb = Literal["injected", "annotated", "uninjected", "skipped"]


class Outcome(NamedTuple):
    """`body` is the object as it is then. `verb` says what was done, `why` the reason where it was skipped.

    `problem` is why the object cannot be injected although it asks for it, "" where it can or does not, and `at` the
    field that it is about, by its keys from the object down. `warnings` are what the sentences of the report about it
    are about.
    """

    kind: str
    name: str
    body: JSON
    verb: Verb
    why: str = ""
    problem: str = ""
    warnings: frozenset[str] = frozenset()
    is_supported: bool = True
    at: Keys = ()

    def without_body(self) -> Outcome:
        """What is to be reported of it: a stream of many objects must not stay in memory."""
        return self._replace(body={})

    @property
    def resource(self) -> str:
        """`deployment/web`, as Linkerd's report writes it."""
        return f"{self.kind}/{self.name}"


class Outcomes:
    """What became of many objects, without the objects: in a temporary file where they are very many. It can be
    iterated again, one time after the other."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it lives as long as this

    def extend(self, outcomes: Iterable[Outcome]) -> None:
        """Put these behind the others."""
        self._file.seek(0, os.SEEK_END)
        self._file.writelines(_ENCODE(outcome.without_body()) + b"\n" for outcome in outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        self._file.seek(0)
        return map(_DECODE, self._file)


# Bytes that are kept in memory.
_IN_MEMORY: Final = 1 << 20
_ENCODE: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder(Outcome).decode


def unsupported(body: JSON) -> Outcome:
    """That an object is left alone, as it has no Pod template that is known."""
    kind = text(body, "kind")
    why = f"{text(body, 'apiVersion')} {kind} has no Pod template that Linkerd knows: --pod-templates looks for one"
    return Outcome(kind.lower(), name_of(body), body, "skipped", why if kind else "it has no kind", is_supported=False)


def joined(kind: str, name: str, body: JSON, outcomes: Sequence[Outcome]) -> Outcome:
    """What became of an object with several Pod templates, at least one."""
    done = next((outcome for outcome in outcomes if outcome.verb != "skipped"), outcomes[0])
    return Outcome(
        kind,
        name,
        body,
        done.verb,
        done.why,
        "; ".join(dict.fromkeys(outcome.problem for outcome in outcomes if outcome.problem)),
        frozenset[str]().union(*(outcome.warnings for outcome in outcomes)),
    )
