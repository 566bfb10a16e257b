"""The last decisions of this replica."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

# How many decisions are kept.
KEPT: Final = 500
# How much of a message is kept: a warning may quote what somebody wrote.
_LONGEST: Final = 500
_WARNINGS: Final = 5


class Decision(NamedTuple):
    """One answered admission. `time` is in seconds since 1970; `workload` is `Deployment/web`, or the object's kind and
    name where it has none; `message` is why an object was refused."""

    time: float
    webhook: str
    namespace: str
    workload: str
    decision: str
    reason: str
    warnings: Sequence[str]
    message: str = ""


class DecisionFilter(NamedTuple):
    """Which decisions are asked for; an empty field asks for all."""

    webhook: str = ""
    namespace: str = ""
    decision: str = ""
    reason: str = ""

    def holds(self, decision: Decision) -> bool:
        """Whether a decision is asked for. Of several reasons, separated by commas, one is enough."""
        return (
            self.webhook in ("", decision.webhook)
            and self.namespace in ("", decision.namespace)
            and self.decision in ("", decision.decision)
            and (not self.reason or self.reason in decision.reason.split(","))
        )


class DecisionLog:
    """The last `KEPT` decisions. Adding one costs less than a microsecond, as it is done for each request."""

    def __init__(self, kept: int = KEPT) -> None:
        self._decisions: deque[Decision] = deque(maxlen=kept)
        self._added = 0

    def add(self, decision: Decision) -> None:
        """Keep a decision, in place of the oldest where there are too many."""
        self._decisions.append(decision)
        self._added += 1

    def newest(self, wanted: DecisionFilter) -> Iterator[tuple[int, Decision]]:
        """Those of this moment that are asked for, the newest first, with long texts cut. Each has its number since
        the start. They may be taken one after the other while others are added."""
        kept, added = tuple(self._decisions), self._added
        numbered = ((added - back, decision) for back, decision in enumerate(reversed(kept)))
        return ((number, _shortened(decision)) for number, decision in numbered if wanted.holds(decision))

    def __len__(self) -> int:
        return len(self._decisions)


def _shortened(decision: Decision) -> Decision:
    if not decision.warnings and len(decision.message) <= _LONGEST:
        return decision
    return decision._replace(
        warnings=[_cut(warning) for warning in decision.warnings[:_WARNINGS]], message=_cut(decision.message)
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
