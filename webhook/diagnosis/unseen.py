"""Facts that are not known: because a right is missing (and what to grant), because reading them failed, or because
they were not asked for.

A fact about a cluster is its value, or one of these; that an object does not exist is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from webhook.kube.errors import ApiError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right that the user lacks. `verb` and `resource` are RBAC's (`get`, `secrets/linkerd-webhook-ca`); `namespace`
    is "" where the right holds in the whole cluster. `lost` says what is not known without it, "" for the object."""

    verb: str
    resource: str
    namespace: str = ""
    user: str = ""
    lost: str = ""

    @classmethod
    def of(cls, error: ApiError, verb: str, resource: str, namespace: str = "", lost: str = "") -> MissingRight:
        """By the API server's refusal, which names the user."""
        return cls(verb, resource, namespace, error.user, lost)

    @property
    def grant(self) -> str:
        """What to grant, and to whom."""
        within = f" in namespace {self.namespace}" if self.namespace else ""
        return f"grant {self.verb} on {self.resource}{within} to {self.user or 'this user'}"

    def text(self) -> str:
        """What is forbidden, and what to grant."""
        return f"may not {self.lost or f'{self.verb} {self.resource}'}: {self.grant}"


@dataclass(frozen=True, slots=True)
class NotSeen:
    """In place of a value: the rights that are missing, at least one."""

    missing: tuple[MissingRight, ...]

    def texts(self) -> tuple[str, ...]:
        """A sentence for each right."""
        return tuple(right.text() for right in self.missing)


@dataclass(frozen=True, slots=True)
class NotRead:
    """In place of a value: reading it failed. `reason` is a sentence with what to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotAsked:
    """In place of a value: nobody asked for it, as it does not matter or another fact is needed first. `reason` is a
    sentence about that."""

    reason: str


Unknown: TypeAlias = NotSeen | NotRead | NotAsked
Fact: TypeAlias = T | NotSeen | NotRead | NotAsked


class Unseen(Exception):
    """A check needs a fact that is not known; `fact` says why it is not."""

    def __init__(self, fact: Unknown) -> None:
        super().__init__("; ".join(fact.texts()) if isinstance(fact, NotSeen) else fact.reason)
        self.fact = fact


def seen(fact: Fact[T]) -> T:
    """The value of a fact. Raises `Unseen` where it is not known."""
    if isinstance(fact, NotSeen | NotRead | NotAsked):
        raise Unseen(fact)
    return fact


def known(fact: Fact[T], otherwise: T) -> T:
    """The value of a fact, or else another one."""
    return otherwise if isinstance(fact, NotSeen | NotRead | NotAsked) else fact


def missing_rights(*facts: object) -> tuple[MissingRight, ...]:
    """The rights that are missing to read these facts, each once, in their order."""
    return tuple(dict.fromkeys(right for fact in facts if isinstance(fact, NotSeen) for right in fact.missing))
