"""What the status page is made from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from webhook.diagnosis.condition import Condition
from webhook.kube.objects import Namespace
from webhook.mesh.releases import Detected
from webhook.statuspage.decisions import DecisionLog
from webhook.statuspage.mesh_reader import MeshReader
from webhook.statuspage.traffic import Traffic
from webhook.statuspage.turns import Turns


@dataclass(frozen=True, slots=True)
class CertificateFact:
    """A certificate: what it is for, its names (or its subject), and when it expires. `problem` is why it cannot be
    read or used, "" if it can."""

    role: str
    names: str
    not_after: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file that was read: its path, the start of the SHA-256 of what is in effect, and when that was read, in seconds
    since 1970. `refused` is why a change of it is not in effect, "" if there is none."""

    path: str
    digest: str
    read_at: float
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSources:
    """What the status page is made from; each function is called for each page, and none does I/O.

    `leader` returns the replica that leads, "" for none, or None where this replica looks after no configuration.
    `namespaces` are those that are known; `mesh` counts Pods, None if the server was not started with `--status-page`.
    `where` is the Namespace, the Pod and the admin port of this replica. Pages are made, and Pods counted, in `turns`.
    """

    replica: str
    where: Callable[[], tuple[str, str, int]]
    conditions: Callable[[], list[Condition]]
    uptime: Callable[[], float]
    leader: Callable[[], str | None]
    linkerd_version: Callable[[], str]
    release_line: Callable[[], Detected]
    certificates: Callable[[], Sequence[CertificateFact]]
    files: Callable[[], Sequence[FileFact]]
    cache: Callable[[], str]
    in_flight: Callable[[], int]
    traffic: Traffic
    decisions: DecisionLog
    flags: Mapping[str, str] = field(default_factory=dict)
    namespaces: Callable[[], Mapping[str, Namespace]] = dict
    mesh: MeshReader | None = None
    clock: Callable[[], float] = time.time
    turns: Turns = field(default_factory=Turns)
