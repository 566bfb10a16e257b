"""What became of one object of a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from webhook.review import JSON

Verb = Literal["injected", "annotated", "uninjected", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`body` is the object as it is then. `verb` says what was done, `why` the reason where it was skipped.

    `problem` is why the object cannot be injected although it asks for it, "" where it can or does not. `warnings` are
    the sentences of the report about it, by what they are about.
    """

    kind: str
    name: str
    body: JSON
    verb: Verb
    why: str = ""
    problem: str = ""
    warnings: frozenset[str] = field(default=frozenset())
    is_supported: bool = True

    @property
    def resource(self) -> str:
        """`deployment/web`, as Linkerd's report writes it."""
        return f"{self.kind}/{self.name}"
