"""Facts that could not be read because a right is missing, and what to grant.

A fact about a cluster is its value or `NotSeen`; that an object does not exist is a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook.kube.errors import ApiError


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


def missing_rights(*facts: object) -> tuple[MissingRight, ...]:
    """The rights that are missing to read these facts, each once, in their order."""
    return tuple(dict.fromkeys(right for fact in facts if isinstance(fact, NotSeen) for right in fact.missing))
