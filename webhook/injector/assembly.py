"""A Pod's settings to the patch that meshes it: metadata, volumes and containers, each in its place."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import orjson

from webhook.injector import debug, patch, volumes
from webhook.injector.effective import Settings
from webhook.injector.encoded import encode
from webhook.injector.fragments import Arrangement, Fragments, Part, fixed
from webhook.injector.init import InitBuilder
from webhook.injector.marks import Marks
from webhook.injector.mesh_facts import MeshFacts
from webhook.injector.proxy import ProxyBuilder
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject
from webhook.injector.validator import under_cni
from webhook.mesh.config import Mesh
from webhook.pod import PodSpec


class Layout(NamedTuple):
    """What decides where the parts of a patch go: what the Pod (template at `prefix`) has already, and what it gets."""

    prefix: str
    annotations: bool
    labels: bool
    volumes: bool
    init_containers: bool
    containers: bool
    native_sidecar: bool
    await_proxy: bool
    debug: bool


class Assembly:
    """The builders of one mesh. Raises `Refusal` when its configuration can inject nothing."""

    def __init__(self, mesh: Mesh, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        if mesh.problems:
            raise Refusal(mesh.problems[0], "values_invalid", code=500)
        facts = MeshFacts.of(mesh)
        self._marks = Marks(mesh)
        self._defaults = defaults
        cni = mesh.values.cni_enabled
        self._proxy = ProxyBuilder(facts, defaults)
        self._first = (under_cni if cni else InitBuilder)(facts, defaults)
        built = volumes.build(cni=cni, traces=self._proxy.traces, token_projection=facts.token_projection)
        self._volumes = [[encode(orjson.dumps(volume))] for volume in built]
        self._debug = Fragments([lambda s: orjson.dumps(debug.build(facts, s))], defaults)
        # Pods change the same few settings again and again.
        self._rest = lru_cache(maxsize=256)(self._arrange)

    def patch(
        self, subject: Subject, settings: Settings, annotations: dict[str, str], labels: dict[str, str]
    ) -> list[bytes]:
        """The patch for a Pod (template) that gets these settings, and beside the `Marks` these annotations and labels
        (one at least): JSON in Base64 and in quotes, in pieces to be joined with the Pod's own mount
        (`encoded.with_mount`).

        Raises `Refusal`.
        """
        spec = subject.spec or _EMPTY
        layout = Layout(
            subject.prefix,
            bool(subject.pod_annotations),
            bool(subject.pod_labels),
            bool(spec.volumes),
            bool(spec.init_containers),
            bool(spec.containers),
            settings.native_sidecar,
            settings.await_proxy,
            settings.debug,
        )
        rest = self._rest(layout, frozenset(settings.changed))
        return [self._begin(subject, settings, annotations, labels), *rest.texts(settings)]

    def _begin(
        self, subject: Subject, settings: Settings, annotations: dict[str, str], labels: dict[str, str]
    ) -> bytes:
        """What differs from Pod to Pod: metadata, and the marks where there is no map yet to add them to."""
        at = f"{subject.prefix}/metadata"
        if not subject.pod_annotations:
            annotations = {**annotations, **self._marks.annotations(settings)}
        if not subject.pod_labels:
            labels = {**self._marks.labels, **labels}
        operations = [patch.add_text(pointer, b"{}") for pointer in subject.absent]
        if subject.pod_metadata is None:
            operations.append(patch.add_text(at, orjson.dumps({"annotations": annotations, "labels": labels})))
        else:
            operations += patch.add_entries_text(f"{at}/annotations", subject.pod_annotations, annotations)
            operations += patch.add_entries_text(f"{at}/labels", subject.pod_labels, labels)
        return patch.begin(operations)

    def _arrange(self, layout: Layout, changed: frozenset[str]) -> Arrangement:
        """The patch behind its beginning, for settings of which these are changed: the same for many Pods."""
        at = f"{layout.prefix}/spec"
        first = [self._first.pieces(changed)] if self._first is not None else []
        proxy = self._proxy.pieces(changed)
        pieces = self._mark(layout).pieces(changed)
        pieces += patch.append_items(f"{at}/volumes", layout.volumes, self._volumes)
        init_path, containers_path = f"{at}/initContainers", f"{at}/containers"
        if layout.native_sidecar:
            # First of all, so that the init containers behind it have a network.
            pieces += patch.prepend_items(init_path, layout.init_containers, [*first, proxy])
        else:
            pieces += patch.append_items(init_path, layout.init_containers, first)
        present = layout.containers
        if layout.debug:
            pieces += patch.append_items(containers_path, present, [self._debug.pieces(changed)])
            present = True
        if not layout.native_sidecar:
            place = patch.prepend_items if layout.await_proxy else patch.append_items
            pieces += place(containers_path, present, [proxy])
        return Arrangement([*pieces, patch.END])

    def _mark(self, layout: Layout) -> Fragments:
        """The operations that add the marks to what metadata there is."""
        at, marks = f"{layout.prefix}/metadata", self._marks
        parts: list[Part] = []
        if layout.annotations:
            parts.append(lambda s: patch.more_entries_text(f"{at}/annotations", marks.annotations(s)))
        if layout.labels:
            parts.append(fixed(patch.more_entries_text(f"{at}/labels", marks.labels)))
        return Fragments(parts, self._defaults)


_EMPTY = PodSpec()
