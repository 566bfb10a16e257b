"""The flags of `inject` that set something of the proxy: each becomes an annotation, where it differs from the mesh."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webhook.grammar import GrammarError, Quantity, parse_duration, parse_quantity, write_duration
from webhook.injector import ports
from webhook.injector.decision import ENABLED, INGRESS, INJECT
from webhook.injector.inject import Injector
from webhook.injector.settings import CLOSE_WAIT, DEBUG, NATIVE, PREFIX, SETTINGS, WAIT_BEFORE_EXIT, Setting

_ROWS: Final[Mapping[str, Setting]] = {row.annotation: row for row in SETTINGS}
_VERSION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE_NAME: Final = re.compile(r"[^\s@]+")


class FlagError(Exception):
    """A flag's value cannot be used: the message names the flag, the value, and what to write."""


@dataclass(frozen=True, slots=True)
class ProxyFlag:
    """A flag of `inject`. `annotation` is what it becomes; `kind` is how its value is written; `instead` is the flag to
    use in place of one that is deprecated."""

    name: str
    annotation: str
    help: str
    kind: str = "text"
    short: str = ""
    instead: str = ""


def _config(name: str) -> str:
    return f"{PREFIX}{name}"


FLAGS: Final = (
    ProxyFlag("proxy-image", _config("proxy-image"), "Image of the proxy, without its tag."),
    ProxyFlag(
        "proxy-version", _config("proxy-version"), "Tag of the proxy's image.", short="v", instead="--proxy-image"
    ),
    ProxyFlag("image-pull-policy", _config("image-pull-policy"), "Always, IfNotPresent or Never."),
    ProxyFlag("inbound-port", _config("inbound-port"), "The proxy's port for inbound traffic."),
    ProxyFlag("outbound-port", _config("outbound-port"), "The proxy's port for outbound traffic."),
    ProxyFlag("control-port", _config("control-port"), "The proxy's port for its control API."),
    ProxyFlag("admin-port", _config("admin-port"), "The proxy's port for metrics."),
    ProxyFlag("skip-inbound-ports", _config("skip-inbound-ports"), "Inbound ports that skip the proxy.", "list"),
    ProxyFlag("skip-outbound-ports", _config("skip-outbound-ports"), "Outbound ports that skip the proxy.", "list"),
    ProxyFlag("opaque-ports", ports.OPAQUE_PORTS, "Ports whose protocol is not to be detected.", "list"),
    ProxyFlag("proxy-uid", _config("proxy-uid"), "User that the proxy runs as."),
    ProxyFlag("proxy-gid", _config("proxy-gid"), "Group that the proxy runs as."),
    ProxyFlag("proxy-log-level", _config("proxy-log-level"), "What the proxy logs."),
    ProxyFlag("proxy-cpu-request", _config("proxy-cpu-request"), "CPU that the proxy requests."),
    ProxyFlag("proxy-cpu-limit", _config("proxy-cpu-limit"), "CPU that the proxy may use."),
    ProxyFlag("proxy-memory-request", _config("proxy-memory-request"), "Memory that the proxy requests."),
    ProxyFlag("proxy-memory-limit", _config("proxy-memory-limit"), "Memory that the proxy may use."),
    ProxyFlag("proxy-cpu", _config("proxy-cpu-request"), "Deprecated.", instead="--proxy-cpu-request"),
    ProxyFlag("proxy-memory", _config("proxy-memory-request"), "Deprecated.", instead="--proxy-memory-request"),
    ProxyFlag(
        "enable-external-profiles",
        _config("enable-external-profiles"),
        "Profiles for names outside of the cluster, too.",
        "switch",
    ),
    ProxyFlag("default-inbound-policy", _config("default-inbound-policy"), "Who may call ports without a policy."),
    ProxyFlag("native-sidecar", NATIVE[0], "Run the proxy as a native sidecar.", "switch"),
    ProxyFlag("wait-before-exit-seconds", WAIT_BEFORE_EXIT, "Seconds that the proxy outlives the Pod's end."),
    ProxyFlag(
        "require-identity-on-inbound-ports",
        _config("proxy-require-identity-inbound-ports"),
        "Inbound ports that take meshed clients only.",
        "list",
    ),
)


def overrides(injector: Injector, given: Mapping[str, str], registry: str = "") -> dict[str, str]:
    """The annotations that ask for what these flags ask for, by flag; a flag of the mesh's own value needs none.

    `registry` is where the images are, "" for where they are anyway. Raises `FlagError`.
    """
    annotations: dict[str, str] = {}
    for flag in FLAGS:
        if flag.name not in given:
            continue
        text, differs = _checked(flag, given[flag.name], injector)
        annotations.pop(flag.annotation, None)
        if differs:
            annotations[flag.annotation] = text
    return _moved(annotations, injector, registry) if registry else annotations


def cores(injector: Injector, given: Mapping[str, str]) -> dict[str, int]:
    """The proxy's threads where --proxy-cpu is given: that flag, as in Linkerd, asks for CPU and not for threads."""
    if "proxy-cpu" not in given:
        return {}
    request = given.get("proxy-cpu-request")
    return {"workers_minimum": parse_quantity(request).whole() if request else injector.defaults.workers_minimum}


def _moved(annotations: dict[str, str], injector: Injector, registry: str) -> dict[str, str]:
    """With the images in another registry: the last part of their names stays."""
    defaults = {
        _config("proxy-image"): injector.defaults.proxy_image,
        _config("debug-image"): injector.defaults.debug_image,
    }
    out = dict(annotations)
    for annotation, default in defaults.items():
        name = f"{registry.rstrip('/')}/{out.pop(annotation, default).rpartition('/')[2]}"
        if name != default:
            out[annotation] = name
    return out


def _checked(flag: ProxyFlag, text: str, injector: Injector) -> tuple[str, bool]:
    """The annotation's text for a flag's value, and whether it is another value than the mesh's. Raises `FlagError`."""
    row = _ROWS[flag.annotation]
    default = getattr(injector.defaults, row.field)
    if flag.name == "proxy-gid" and _is_unset(text):
        # As in Linkerd: no group of its own.
        return text, False
    try:
        value = row.read(text)
    except GrammarError as error:
        raise FlagError(f'--{flag.name} "{text}" is not {error}') from None
    right = row.odd(value) or _more(flag, text)
    if right:
        raise FlagError(f'--{flag.name} "{text}": write {right}')
    if isinstance(value, Quantity):
        return text, text != default
    if flag.kind == "switch":
        text = "true" if value else "false"
    return text, value != default


def _is_unset(text: str) -> bool:
    return re.fullmatch(r"-\d+", text) is not None


def _more(flag: ProxyFlag, text: str) -> str:
    """What would be right in place of a value that the injector takes and that no proxy starts with."""
    if flag.name == "proxy-version" and not _VERSION.fullmatch(text):
        return "an image's tag, such as edge-26.8.3"
    if flag.name == "proxy-image" and not _IMAGE_NAME.fullmatch(text):
        return "an image's name, such as cr.l5d.io/linkerd/proxy"
    if flag.name.startswith("skip-") and text and not all(ports.parse_range(entry) for entry in text.split(",")):
        return "ports and ranges with commas between"
    return ""


def of_ingress(injector: Injector, *, ingress: bool) -> dict[str, str]:
    """The annotation for ingress mode on or off, where the mesh has it otherwise."""
    if ingress == injector.defaults.is_ingress:
        return {}
    return {INJECT: INGRESS if ingress else ENABLED}


def of_pods(*, debug: bool, close_wait: str) -> dict[str, str]:
    """The annotations that Pod templates alone get: the debug container, and a duration. Raises `FlagError`."""
    annotations = {DEBUG: "true"} if debug else {}
    if not close_wait:
        return annotations
    try:
        nanoseconds = parse_duration(close_wait)
    except GrammarError as error:
        raise FlagError(f'--close-wait-timeout "{close_wait}" is not {error}') from None
    if nanoseconds < 0:
        raise FlagError(f'--close-wait-timeout "{close_wait}": write a duration of 0 or more')
    return annotations | ({CLOSE_WAIT: write_duration(nanoseconds)} if nanoseconds else {})
