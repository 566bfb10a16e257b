"""What is to be explained: a Pod or a workload, written as kubectl takes it (`pod/cart`, `deploy/cart`). Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from webhook.kube.object_names import is_label, is_subdomain


class TargetError(ValueError):
    """What was written names nothing that can be explained; the message says what to write."""


class ExplainedKind(NamedTuple):
    """A kind: its name, the API's root, its plural, and kubectl's short names for it."""

    kind: str
    root: str
    plural: str
    short: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """As RBAC calls it: `deployments.apps`, `pods`."""
        group = self.group
        return f"{self.plural}.{group}" if group else self.plural

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.root.split("/")[2] if self.root.startswith("/apis/") else ""

    def path(self, namespace: str, name: str = "") -> str:
        """The path of a Namespace's objects, or of one of them, on the API server."""
        return f"{self.root}/namespaces/{namespace}/{self.plural}{f'/{name}' if name else ''}"


_APPS: Final = "/apis/apps/v1"
_BATCH: Final = "/apis/batch/v1"
KINDS: Final[Mapping[str, ExplainedKind]] = {
    known.kind: known
    for known in (
        ExplainedKind("Pod", "/api/v1", "pods", ("po",)),
        ExplainedKind("Deployment", _APPS, "deployments", ("deploy",)),
        ExplainedKind("StatefulSet", _APPS, "statefulsets", ("sts",)),
        ExplainedKind("DaemonSet", _APPS, "daemonsets", ("ds",)),
        ExplainedKind("ReplicaSet", _APPS, "replicasets", ("rs",)),
        ExplainedKind("ReplicationController", "/api/v1", "replicationcontrollers", ("rc",)),
        ExplainedKind("Job", _BATCH, "jobs"),
        ExplainedKind("CronJob", _BATCH, "cronjobs", ("cj",)),
    )
}


def _words(kind: ExplainedKind) -> list[str]:
    """All that kubectl takes for a kind."""
    words = [kind.kind.lower(), kind.plural]
    version = kind.root.rpartition("/")[2]
    groups = [f".{kind.group}", f".{version}.{kind.group}"] if kind.group else []
    return [*kind.short, *words, *(f"{word}{group}" for word in words for group in groups)]


_BY_WORD: Final = {word: kind for kind in KINDS.values() for word in _words(kind)}


@dataclass(frozen=True, slots=True)
class Target:
    """The object to explain."""

    kind: ExplainedKind
    namespace: str
    name: str

    @property
    def object(self) -> str:
        """`Kind NAMESPACE/NAME`."""
        return f"{self.kind.kind} {self.namespace}/{self.name}"


def parse(written: str, namespace: str) -> Target:
    """The target that `KIND/NAME` names in a Namespace. Raises `TargetError`."""
    word, slash, name = written.partition("/")
    if not slash or not word or not name:
        pod = written.strip("/") or "NAME"
        raise TargetError(f'"{written}" is not of the form KIND/NAME: write pod/{pod}, or deploy/{pod}')
    kind = _BY_WORD.get(word.lower())
    if kind is None:
        raise TargetError(f'"{written}": the kind "{word}" has no Pods to explain: {_nearest(word)}')
    if not is_subdomain(name):
        raise TargetError(f'"{written}": "{name}" is not a name: write lower case letters, digits, - and .')
    if not is_label(namespace):
        raise TargetError(f'-n "{namespace}" is not the name of a Namespace: write lower case letters, digits and -')
    return Target(kind, namespace, name)


def _nearest(word: str) -> str:
    every = ", ".join(kind.kind.lower() for kind in KINDS.values())
    close = difflib.get_close_matches(word.lower(), sorted(_BY_WORD), n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"? Kinds are {every}' if close else f"write one of {every}"
