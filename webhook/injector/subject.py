"""The object under review, as far as the injector looks at it: where its Pod is, and that the types are right.

The reference decodes into Kubernetes' Go types and refuses what does not fit. Here only what is read is checked, so a
field of a newer Kubernetes never is in the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from webhook.grammar import format_number
from webhook.injector.refusal import Refusal
from webhook.review import JSON, AdmissionRequest

SERVICE_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"

# Where a kind has its Pod template.
TEMPLATES = {
    "pod": "",
    "cronjob": "/spec/jobTemplate/spec/template",
    **dict.fromkeys(
        ("deployment", "replicationcontroller", "replicaset", "job", "daemonset", "statefulset"), "/spec/template"
    ),
}

_NOTHING: JSON = {}
_NO_LIST: list[Any] = []
_TYPES: dict[type, str] = {str: "a string", bool: "true or false", list: "an array", dict: "an object", int: "a number"}


@dataclass(slots=True)
class Subject:
    """One object. Everything absent or null reads as empty.

    `prefix` is the JSON pointer of the Pod (template); `spec` is None for kinds without one. `metadata` is the object's
    own and `pod_metadata` the Pod's (the same for a Pod). The ports are the containers', in order, and those that HTTP
    readiness and liveness probes name by number.
    """

    kind: str
    prefix: str
    metadata: JSON
    annotations: dict[str, str]
    pod_metadata: JSON
    pod_annotations: dict[str, str]
    pod_labels: dict[str, str]
    spec: JSON | None
    has_metadata: bool = True
    containers: list[JSON] = field(default_factory=list)
    init_containers: list[JSON] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    init_ports: list[int] = field(default_factory=list)
    probe_ports: list[int] = field(default_factory=list)
    init_probe_ports: list[int] = field(default_factory=list)
    service_ports: list[JSON] = field(default_factory=list)

    @property
    def is_pod(self) -> bool:
        """Whether it is a Pod itself, not a workload with a template of one."""
        return self.kind == "pod"

    @property
    def name(self) -> str:
        """Its name, or the name's beginning where the API server has yet to choose the rest."""
        return str(self.metadata.get("name") or self.metadata.get("generateName") or "")


def kind_of(request: AdmissionRequest) -> str:
    """The object's kind in lower case: as it says itself, else as the request says."""
    body = request.object
    stated = body.get("kind") if isinstance(body, dict) else None
    return stated.lower() if isinstance(stated, str) and stated else request.kind.kind.lower()


def read(request: AdmissionRequest) -> Subject:
    """Find the Pod and check what the injector reads. Raises `Refusal` for a wrong type."""
    body = request.object
    if body is None:
        body = _NOTHING
    if not isinstance(body, dict):
        raise _wrong("object", body, dict)
    kind = kind_of(request)
    metadata = _get(body, "metadata", dict, _NOTHING, "")
    annotations = _texts(metadata, "annotations", "metadata")
    prefix = TEMPLATES.get(kind)
    if prefix is None:
        subject = Subject(kind, "", metadata, annotations, _NOTHING, {}, {}, None)
        if kind == "service":
            subject.service_ports = _service_ports(body)
        return subject
    pod = _template(body, prefix)
    pod_metadata = metadata if not prefix else _get(pod, "metadata", dict, _NOTHING, prefix)
    at = _dots(prefix)
    spec = _get(pod, "spec", dict, _NOTHING, at)
    subject = Subject(
        kind,
        prefix,
        metadata,
        annotations,
        pod_metadata,
        annotations if not prefix else _texts(pod_metadata, "annotations", f"{at}metadata"),
        _texts(pod_metadata, "labels", f"{at}metadata"),
        spec,
        has_metadata=isinstance(pod.get("metadata"), dict),
    )
    _check_pod_spec(subject, spec, f"{at}spec")
    return subject


def _template(body: JSON, prefix: str) -> JSON:
    node = body
    at = ""
    for part in prefix.split("/")[1:]:
        node = _get(node, part, dict, _NOTHING, at)
        at = f"{at}{part}."
        if part == "spec":
            replicas = node.get("replicas")
            if replicas is not None and not _is_int(replicas):
                raise _wrong(f"{at}replicas", replicas, int)
    return node


def _check_pod_spec(subject: Subject, spec: JSON, at: str) -> None:
    for key in ("hostNetwork", "automountServiceAccountToken"):
        _get(spec, key, bool, False, at)
    _get(spec, "volumes", list, _NO_LIST, at)
    subject.containers = _containers(spec, "containers", at, subject.ports, subject.probe_ports)
    subject.init_containers = _containers(spec, "initContainers", at, subject.init_ports, subject.init_probe_ports)


def _containers(spec: JSON, key: str, at: str, ports: list[int], probes: list[int]) -> list[JSON]:
    found: list[JSON] = _get(spec, key, list, _NO_LIST, at)
    for index, container in enumerate(found):
        if not isinstance(container, dict):
            if container is None:
                found = [c if c is not None else _NOTHING for c in found]
                continue
            raise _wrong(f"{at}.{key}[{index}]", container, dict)
        try:
            _check_container(container, ports, probes)
        except _Wrong as wrong:
            raise _wrong(f"{at}.{key}[{index}].{wrong.path}", wrong.value, wrong.want) from None
    return found


def _check_container(container: JSON, ports: list[int], probes: list[int]) -> None:
    for name in ("name", "image"):
        text = container.get(name)
        if text is not None and not isinstance(text, str):
            _text(text, name)
    for number, port in enumerate(_get(container, "ports", list, _NO_LIST, "")):
        ports.append(_check_port(port, "containerPort", number))
    for number, mount in enumerate(_get(container, "volumeMounts", list, _NO_LIST, "")):
        _check_mount(mount, number)
    if container.get("securityContext") is not None:
        _check_capabilities(container)
    for name in ("readinessProbe", "livenessProbe"):
        if container.get(name) is not None:
            _check_probe(container, name, probes)


def _check_probe(container: JSON, name: str, probes: list[int]) -> None:
    http = _get(_get(container, name, dict, _NOTHING, ""), "httpGet", dict, None, name)
    if http is None:
        return
    port = http.get("port")
    _check_int_or_string(port, f"{name}.httpGet.port")
    if not isinstance(port, str):
        probes.append(int(port or 0))


def _check_capabilities(container: JSON) -> None:
    context = _get(container, "securityContext", dict, _NOTHING, "")
    capabilities = _get(context, "capabilities", dict, _NOTHING, "securityContext")
    for name in ("add", "drop"):
        for number, capability in enumerate(_get(capabilities, name, list, _NO_LIST, "securityContext.capabilities")):
            if not isinstance(capability, str):
                raise _wrong(f"securityContext.capabilities.{name}[{number}]", capability, str)


def _check_port(port: Any, number: str, index: int, at: str = "ports") -> int:
    """The port's number, 0 where it has none."""
    if port is None:
        return 0
    if not isinstance(port, dict):
        raise _wrong(f"{at}[{index}]", port, dict)
    for key in ("name", "protocol"):
        text = port.get(key)
        if text is not None and not isinstance(text, str):
            _text(text, f"{at}[{index}].{key}")
    value = port.get(number)
    if value is None:
        return 0
    if not _is_int(value):
        raise _wrong(f"{at}[{index}].{number}", value, int)
    return int(value)


def _check_mount(mount: Any, index: int) -> None:
    if not isinstance(mount, dict):
        raise _wrong(f"volumeMounts[{index}]", mount, dict)
    for key, want in (("name", str), ("mountPath", str), ("readOnly", bool)):
        value = mount.get(key)
        if value is not None and not isinstance(value, want):
            _get(mount, key, want, "", f"volumeMounts[{index}]")


def _service_ports(body: JSON) -> list[JSON]:
    ports = _get(_get(body, "spec", dict, _NOTHING, ""), "ports", list, _NO_LIST, "spec")
    for index, port in enumerate(ports):
        _check_port(port, "port", index, "spec.ports")
        if port is not None:
            _check_int_or_string(port.get("targetPort"), f"spec.ports[{index}].targetPort")
    return [port for port in ports if port is not None]


def _check_int_or_string(value: Any, at: str) -> None:
    if value is not None and not isinstance(value, str) and not _is_int(value):
        raise _wrong(at, value, int)


def _is_int(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer() and -(2**31) <= value < 2**31
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _texts(metadata: JSON, key: str, at: str) -> dict[str, str]:
    """A map of texts. Scalars of other types become text, and null an empty one, as in the reference's decoder."""
    found: dict[str, Any] = _get(metadata, key, dict, _NOTHING, at)
    if all(isinstance(value, str) for value in found.values()):
        return found
    return {name: _text(value, f'{at}.{key}["{name[:80]}"]') for name, value in found.items()}


def _text(value: Any, at: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) else format_number(value)
    raise _wrong(at, value, str)


def _get(node: JSON, key: str, want: type, default: Any, at: str) -> Any:
    value = node.get(key)
    if value is None:
        return default
    if not isinstance(value, want):
        if want is str and isinstance(value, int | float):
            return _text(value, at)
        raise _wrong(f"{at.removesuffix('.')}.{key}" if at else key, value, want)
    return value


class _Wrong(Refusal):
    def __init__(self, path: str, value: Any, want: type) -> None:
        got = _TYPES.get(type(value), "a number")
        shown = f'"{value[:40]}"' if isinstance(value, str) else got
        super().__init__(f"object.{path} is {shown}, want {_TYPES[want]}: correct the manifest", "malformed_object")
        self.path = path
        self.value = value
        self.want = want


def _wrong(path: str, value: Any, want: type) -> _Wrong:
    return _Wrong(path, value, want)


def _dots(pointer: str) -> str:
    return pointer.removeprefix("/").replace("/", ".") + "." if pointer else ""
