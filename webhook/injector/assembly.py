"""A Pod's settings to the patch that meshes it: metadata, volumes and containers, each in its place."""

from __future__ import annotations

import orjson

from webhook.injector import debug, patch, volumes
from webhook.injector.effective import Settings
from webhook.injector.encoded import encode
from webhook.injector.init import InitBuilder
from webhook.injector.mesh_facts import MeshFacts
from webhook.injector.pod import PodSpec
from webhook.injector.proxy import ProxyBuilder
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject
from webhook.injector.validator import under_cni
from webhook.mesh.config import Mesh


class Assembly:
    """The builders of one mesh. Raises `Refusal` when its configuration can inject nothing."""

    def __init__(self, mesh: Mesh, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        if mesh.problems:
            raise Refusal(mesh.problems[0], "values_invalid", code=500)
        facts = self._facts = MeshFacts.of(mesh)
        cni = mesh.values.cni_enabled
        self._proxy = ProxyBuilder(facts, defaults)
        self._first = (under_cni if cni else InitBuilder)(facts, defaults)
        built = volumes.build(cni=cni, traces=self._proxy.traces, token_projection=facts.token_projection)
        self._volumes = [encode(orjson.dumps(volume)) for volume in built]

    def patch(self, subject: Subject, settings: Settings, annotations: dict[str, str], labels: dict[str, str]) -> bytes:
        """The patch for a Pod (template) that gets these settings, annotations and labels: JSON in Base64, to be given
        the Pod's own mount (`encoded.with_mount`).

        What the settings take over from the Pod's first container is filled in here. Raises `Refusal`.
        """
        _take_over(settings, subject)
        at = f"{subject.prefix}/metadata"
        operations = [patch.add_text(pointer, b"{}") for pointer in subject.absent]
        if subject.pod_metadata is None:
            operations.append(patch.add_text(at, orjson.dumps({"annotations": annotations, "labels": labels})))
        else:
            operations += patch.add_entries_text(f"{at}/annotations", subject.pod_annotations, annotations)
            operations += patch.add_entries_text(f"{at}/labels", subject.pod_labels, labels)
        return b"".join((patch.begin(operations), *self._spec(subject, settings), patch.END))

    def _spec(self, subject: Subject, settings: Settings) -> list[bytes]:
        """The operations below `spec`, in pieces."""
        spec = subject.spec or PodSpec()
        at = f"{subject.prefix}/spec"
        first = [self._first.text(settings)] if self._first is not None else []
        proxy = self._proxy.text(settings)
        pieces = patch.append_items(f"{at}/volumes", spec.volumes, self._volumes)
        init_path, containers_path = f"{at}/initContainers", f"{at}/containers"
        if settings.native_sidecar:
            # First of all, so that the init containers behind it have a network.
            pieces += patch.prepend_items(init_path, subject.init_containers, [*first, proxy])
        else:
            pieces += patch.append_items(init_path, subject.init_containers, first)
        present = bool(subject.containers)
        if settings.debug:
            container = encode(orjson.dumps(debug.build(self._facts, settings)))
            pieces += patch.append_items(containers_path, present, [container])
            present = True
        if not settings.native_sidecar:
            place = patch.prepend_items if settings.await_proxy else patch.append_items
            pieces += place(containers_path, present, [proxy])
        return pieces


def _take_over(settings: Settings, subject: Subject) -> None:
    """What the injected containers have as the Pod's first one has it.

    Its capabilities, so that what a Pod security policy lets through once it lets through again, and its mount of the
    service account.
    """
    context = subject.containers[0].security_context if subject.containers else None
    if context is not None and context.capabilities is not None:
        given = context.capabilities
        settings.capabilities = (tuple(given.add or ()), tuple(given.drop or ()))
    if subject.service_account_mount is not None:
        settings.own_mount = True
