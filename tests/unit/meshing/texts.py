"""Manifests to inject, and what becomes of a text."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from functools import lru_cache

from webhook.injector.inject import Injector
from webhook.manifest.files import Problem
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.meshing.inject import ManifestInjector
from webhook.meshing.outcome import Outcome
from webhook.meshing.stream import Change, pieces, rewrite
from webhook.meshing.templates import PodTemplates
from webhook.meshing.uninject import uninjected

DEPLOYMENT = """\
# The shop's front.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # as in DNS
  namespace: shop
spec:
  template:
    metadata:
      labels:
        app: "web"
    spec:
      containers:
      - name: web
        image: nginx:1.27  # pinned
"""


@lru_cache(maxsize=1)
def injector() -> Injector:
    """With Linkerd's default values."""
    return Injector(Mesh.load(default_values(), default_trust_anchors()))


def injecting(
    annotations: Mapping[str, str] | None = None, *, manual: bool = False, templates: PodTemplates | None = None
) -> Change:
    """What `inject` does with these annotations."""
    return ManifestInjector(injector(), annotations or {}, templates=templates or PodTemplates(), manual=manual).inject


class Result:
    """What has become of a stream."""

    def __init__(self, text: str | bytes, change: Change) -> None:
        self.before = text.encode() if isinstance(text, str) else text
        self.outcomes: list[Outcome] = []
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        parts = []
        for before, data in pieces(io.BytesIO(self.before)):
            rewritten = rewrite("web.yaml", before, data, change)
            parts.append(rewritten.text)
            self.outcomes += rewritten.outcomes
            self.problems += rewritten.problems
            self.notes += rewritten.notes
        self.text = "".join(parts)

    @property
    def verbs(self) -> list[tuple[str, str, str]]:
        """Kind, name and what became of each object."""
        return [(outcome.kind, outcome.name, outcome.verb) for outcome in self.outcomes]

    @property
    def difference(self) -> list[str]:
        """Removed and added lines."""
        lines = difflib.ndiff(self.before.decode().splitlines(), self.text.splitlines())
        return [line for line in lines if line[:1] in "+-"]


def injected(text: str | bytes, annotations: Mapping[str, str] | None = None, *, manual: bool = False) -> Result:
    """A text after `inject`."""
    return Result(text, injecting(annotations, manual=manual))


def taken_out(text: str | bytes) -> Result:
    """A text after `uninject`."""
    return Result(text, uninjected)
