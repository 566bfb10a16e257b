"""The object under review, as far as the injector looks at it: where its Pod is, and that the types are right.

The reference decodes into Kubernetes' Go types and refuses what does not fit. Here only what is read is checked, so a
field of a newer Kubernetes never is in the way.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import orjson
from msgspec import field

from webhook.findings.finding import Path
from webhook.injector.go_values import put_right
from webhook.injector.refusal import Refusal
from webhook.pod import Container, ObjectMeta, OwnerReference, Pod, PodSpec, Service, ServicePort, VolumeMount
from webhook.review import JSON, AdmissionRequest, ReviewError

Text = bytes | memoryview | msgspec.Raw

SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"

# Where a kind has its Pod template.
TEMPLATES = {
    "pod": "",
    "cronjob": "/spec/jobTemplate/spec/template",
    **dict.fromkeys(
        ("deployment", "replicationcontroller", "replicaset", "job", "daemonset", "statefulset"), "/spec/template"
    ),
}

S = TypeVar("S", bound=msgspec.Struct)

_NO_TEXTS: dict[str, str] = {}
_NO_CONTAINERS: list[Container] = []
_POD = msgspec.json.Decoder(Pod)


class Subject(msgspec.Struct):
    """One object. Everything absent or null reads as empty.

    `prefix` is the JSON pointer of the Pod (template), and `absent` are the pointers of the objects on the way to its
    spec that are not there. `spec` is None for kinds without a Pod. `metadata` is the object's own and `pod_metadata`
    the Pod's (the same for a Pod; None where there is none). The ports are the containers', in order, and those that
    HTTP readiness and liveness probes name by number; `has_tcp_probes` is whether some probe opens a TCP connection.
    `service_account_mount` is the first container's. `stated_kind` and `api_version` are a workload's, as it spells
    them.
    """

    kind: str
    metadata: ObjectMeta
    has_metadata: bool
    annotations: dict[str, str]
    prefix: str = ""
    absent: tuple[str, ...] = ()
    pod_metadata: ObjectMeta | None = None
    pod_annotations: dict[str, str] = field(default_factory=dict)
    pod_labels: dict[str, str] = field(default_factory=dict)
    spec: PodSpec | None = None
    containers: list[Container] = field(default_factory=list)
    init_containers: list[Container] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    init_ports: list[int] = field(default_factory=list)
    probe_ports: list[int] = field(default_factory=list)
    init_probe_ports: list[int] = field(default_factory=list)
    has_tcp_probes: bool = False
    service_ports: list[ServicePort] = field(default_factory=list)
    service_account_mount: VolumeMount | None = None
    stated_kind: str = ""
    api_version: str = ""

    @classmethod
    def of(cls, kind: str, object: Any) -> Subject:
        """The subject that an object is, found and checked.

        `object` is the object's JSON text, or what such text is parsed to. `kind` (in any case) counts for an object
        that does not name its own. Raises `Refusal` for a wrong type in a field that the injector reads.
        """
        if isinstance(object, Text):
            subject = _of_text(kind, object)
            if subject is not None:
                return subject
            try:
                object = orjson.loads(memoryview(object))
            except orjson.JSONDecodeError as error:
                raise Refusal(f"the object is not JSON: {error}", "malformed_object") from None
        return _of_parsed(kind, object)

    @property
    def is_pod(self) -> bool:
        """Whether it is a Pod itself, not a workload with a template of one."""
        return self.kind == "pod"

    @property
    def name(self) -> str:
        """Its name, or the name's beginning where the API server has yet to choose the rest."""
        return self.metadata.name or self.metadata.generate_name or ""

    @property
    def owners(self) -> list[OwnerReference]:
        """Its ownerReferences."""
        return self.metadata.owner_references or []


def read(request: AdmissionRequest) -> Subject:
    """The subject of a request, read once: each call reads anew. Raises `Refusal` for a wrong type."""
    if request.pod is not None:
        subject = _of_pod(request.kind.kind, request.pod)
        if subject is not None:
            return subject
    try:
        body = request.object
    except ReviewError as error:
        raise Refusal(error.message, "malformed_object") from None
    return _of_parsed(request.kind.kind, body)


def _of_text(kind: str, text: Text) -> Subject | None:
    """A Pod, decoded straight from its text; None for other kinds, and where that fails."""
    try:
        return _of_pod(kind, _POD.decode(text))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _of_pod(kind: str, pod: Pod) -> Subject | None:
    """A Pod that was decoded as one; None where it is of another kind."""
    if kind != "Pod" or (pod.kind is not None and pod.kind != "Pod"):
        return None
    return _with_pod(_subject("pod", pod.metadata), pod)


def _of_parsed(kind: str, body: Any) -> Subject:
    if body is None:
        body = {}
    if not isinstance(body, dict):
        # Raises: an object of any kind is a JSON object.
        _convert(body, Pod, ())
    stated = body.get("kind")
    kind = (stated if isinstance(stated, str) and stated else kind).lower()
    if kind == "service":
        service = _convert(body, Service, ())
        subject = _subject(kind, service.metadata)
        subject.service_ports = (service.spec.ports if service.spec else None) or []
        return subject
    if kind == "pod":
        pod = _convert(body, Pod, ())
        return _with_pod(_subject(kind, pod.metadata), pod)
    metadata = body.get("metadata")
    subject = _subject(kind, None if metadata is None else _convert(metadata, ObjectMeta, ("metadata",)))
    subject.stated_kind = stated if isinstance(stated, str) else ""
    version = body.get("apiVersion")
    subject.api_version = version if isinstance(version, str) else ""
    prefix = TEMPLATES.get(kind)
    return subject if prefix is None else _with_template(subject, body, prefix)


def _subject(kind: str, metadata: ObjectMeta | None) -> Subject:
    present = metadata is not None
    metadata = metadata or ObjectMeta()
    return Subject(kind, metadata, present, metadata.annotations or _NO_TEXTS)


def _with_template(subject: Subject, body: JSON, prefix: str) -> Subject:
    """Walk down to the Pod template; what is missing on the way is noted, what is of the wrong type refused."""
    node: JSON = body
    at: tuple[str, ...] = ()
    absent = []
    for part in prefix.split("/")[1:]:
        at = (*at, part)
        below = node.get(part)
        if below is not None and not isinstance(below, dict):
            _convert(below, Pod, at)
        if below is None:
            absent.append("/" + "/".join(at))
        node = below or {}
        put_right(node.get("replicas"), int, (*at, "replicas"))
    subject.prefix = prefix
    subject.absent = tuple(absent)
    return _with_pod(subject, _convert(node, Pod, at))


def _with_pod(subject: Subject, pod: Pod) -> Subject:
    metadata = pod.metadata
    subject.pod_metadata = metadata
    if metadata is not None:
        subject.pod_annotations = metadata.annotations or _NO_TEXTS
        subject.pod_labels = metadata.labels or _NO_TEXTS
    spec = pod.spec
    if spec is None:
        subject.absent = (*subject.absent, f"{subject.prefix}/spec")
        subject.spec = PodSpec()
        return subject
    subject.spec = spec
    subject.containers = spec.containers or _NO_CONTAINERS
    subject.init_containers = spec.init_containers or _NO_CONTAINERS
    if subject.containers:
        subject.service_account_mount = _mount_of_service_account(subject.containers[0])
    _collect_ports(subject, subject.containers, subject.ports, subject.probe_ports)
    _collect_ports(subject, subject.init_containers, subject.init_ports, subject.init_probe_ports)
    return subject


def _mount_of_service_account(container: Container) -> VolumeMount | None:
    for mount in container.volume_mounts or ():
        if mount.mount_path == SERVICE_ACCOUNT_PATH:
            return mount
    return None


def _collect_ports(subject: Subject, containers: list[Container], ports: list[int], probes: list[int]) -> None:
    for container in containers:
        if container.ports is not None:
            ports += [port.container_port or 0 for port in container.ports]
        for probe in (container.readiness_probe, container.liveness_probe):
            if probe is None:
                continue
            if probe.http_get is not None:
                number = probe.http_get.port
                if not isinstance(number, str):
                    probes.append(number or 0)
            if probe.tcp_socket is not None:
                subject.has_tcp_probes = True
        if container.startup_probe is not None and container.startup_probe.tcp_socket is not None:
            subject.has_tcp_probes = True


def _convert(value: Any, kind: type[S], path: Path) -> S:
    """A parsed value in the shape of `pod`, put right where the reference would. Raises `Refusal`."""
    value = {} if value is None else value
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return msgspec.convert(put_right(value, kind, path), kind)
