"""Values of annotations with which `linkerd-init` or the proxy does not start, or with which a port is not skipped.

What the programs make of them stands in their sources: `proxy-init/cmd/root.go`, `pkg/iptables` and `pkg/util` of
linkerd2-proxy-init, `linkerd/app/src/env` and `linkerd/tracing` of linkerd2-proxy (`EnvFilter` of tracing-subscriber).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from webhook.findings.finding import Finding, show
from webhook.grammar import is_cidr
from webhook.injector import ports
from webhook.injector.advice import rules
from webhook.injector.advice.facts import Facts
from webhook.injector.settings import POD_INBOUND_PORTS, PREFIX

_OUTBOUND: Final = f"{PREFIX}skip-outbound-ports"
# How many bad entries of one annotation are told, and how long a value may be that is looked at.
_TOLD: Final = 3
_LONGEST: Final = 2048


def check(facts: Facts) -> list[Finding]:
    """What annotations break at the start of the Pod."""
    findings: list[Finding] = []
    for annotation, (text, _) in facts.sources.items():
        about = _ABOUT.get(annotation)
        if about is not None and len(text) <= _LONGEST:
            findings += [finding._replace(annotation=annotation) for finding in about(facts, annotation, text)]
    return findings


def _entries(text: str) -> list[str]:
    """The entries of a list as `linkerd-init` gets it: one record of comma-separated values."""
    line = next((line for line in text.splitlines() if line), "")
    entries = line.split(",") if line else []
    return [entry[1:-1] if len(entry) > 1 and entry[0] == entry[-1] == '"' else entry for entry in entries]


def _redirect(facts: Facts) -> str:
    """What sets up the redirection of the Pod's traffic."""
    return "the CNI plugin" if facts.mesh.values.cni_enabled else "linkerd-init"


def _subnets(facts: Facts, annotation: str, text: str) -> Iterator[Finding]:
    for entry in _bad_subnets(text):
        path, key = facts.place(annotation)
        what = "an IPv6 subnet, which iptables does not take" if is_cidr(entry) else "not a subnet"
        sentence = f"{key} has {show(entry)}, which is {what}, so {_redirect(facts)} fails and the Pod does not start"
        yield rules.NO_START.at(path, f"{sentence}: {_right_subnet(entry)}")


@lru_cache(maxsize=256)
def _bad_subnets(text: str) -> tuple[str, ...]:
    """The first entries over which iptables fails: those for IPv4 come first, and it takes no others."""
    return tuple(entry for entry in map(str.strip, _entries(text)) if not is_cidr(entry) or ":" in entry)[:_TOLD]


def _right_subnet(entry: str) -> str:
    if not entry:
        return "remove the comma too many"
    address, slash, _ = entry.partition("/")
    if ":" in address:
        return "remove it, and write IPv4 subnets only"
    try:
        highest = ip_address(address).max_prefixlen
    except ValueError:
        return "write subnets such as 10.0.0.0/8 with commas between"
    return f"write a length from 0 to {highest}" if slash else f"write {address}/{highest}"


def _skipped_ports(facts: Facts, annotation: str, text: str) -> Iterator[Finding]:
    bad, are_all = _bad_ports(text)
    if are_all and annotation == _OUTBOUND:
        # iptables gets an empty list, and refuses it.
        path, key = facts.place(annotation)
        sentence = f"{key} is {show(text)}, which is not a list of ports, so {_redirect(facts)} fails and the Pod does"
        yield rules.NO_START.at(path, f"{sentence} not start: {_right_ports(text)}")
        return
    for entry in bad:
        path, key = facts.place(annotation)
        sentence = f"{key} has {show(entry)}, which is not a port or a range, so {_redirect(facts)} does not skip it"
        yield rules.NOT_SKIPPED.at(path, f"{sentence}: {_right_ports(entry)}")


@lru_cache(maxsize=256)
def _bad_ports(text: str) -> tuple[tuple[str, ...], bool]:
    """The first entries that are not ports or ranges, and whether there are no others. Empty ones do no harm."""
    entries = _entries(text)
    bad = [entry for entry in entries if ports.parse_range(entry) is None]
    return tuple(entry for entry in bad if entry.strip())[:_TOLD], bool(bad) and len(bad) == len(entries)


_BETWEEN: Final = re.compile(r"[\s;,|/]+")
_ADVICE: Final = "write ports and ranges such as 3306,4000-4010"


def _right_ports(text: str) -> str:
    """What to write in place of an entry: what was meant by other signs between the ports, where that is plain."""
    parts = [part for part in _BETWEEN.split(text) if part]
    if parts and len(parts) <= 8 and all(ports.parse_range(part) for part in parts):
        spaces = " without spaces" if len(parts) == 1 else ""
        return f"write {','.join(parts)}{spaces}"
    return _ADVICE


def _inbound_ports(facts: Facts, annotation: str, text: str) -> Iterator[Finding]:
    """Here the proxy itself reads the list."""
    bad = [entry for entry in map(str.strip, text.split(",")) if entry and not ports.parse_range(entry)]
    if bad:
        path, key = facts.place(annotation)
        sentence = f"{key} has {show(bad[0])}, which is not a port or a range, so the proxy does not start"
        yield rules.NO_START.at(path, f"{sentence}: {_right_ports(bad[0])}")


_LEVELS: Final = frozenset(("off", "error", "warn", "info", "debug", "trace"))
_NUMBER: Final = re.compile(r"\+?0*[0-5]", re.ASCII)
_LEVELS_ADVICE: Final = "write for example warn,linkerd=debug (levels: off, error, warn, info, debug, trace)"
# What other programs call their levels: alone, the proxy takes them for the name of a module.
_FOREIGN: Final = frozenset(
    ("warning", "verbose", "fatal", "critical", "panic", "notice", "err", "all", "none", "dbg", "information")
)


def _log_level(facts: Facts, annotation: str, text: str) -> Iterator[Finding]:
    bad = _bad_directive(text)
    if bad:
        path, key = facts.place(annotation)
        sentence = f"{key} has {show(bad)}, which the proxy cannot read, so it does not start"
        yield rules.NO_START.at(path, f"{sentence}: {_LEVELS_ADVICE}")
    elif text.strip().lower() in _FOREIGN:
        path, key = facts.place(annotation)
        sentence = f"{key} is {show(text)}, which the proxy takes for the name of a module"
        yield rules.SETTING.at(path, f"{sentence}: {_LEVELS_ADVICE}")


@lru_cache(maxsize=256)
def _bad_directive(text: str) -> str:
    """The first part of a log level that the proxy cannot read; empty for none."""
    return next((directive for directive in text.split(",") if directive and _is_bad_directive(directive)), "")


def _is_bad_directive(text: str) -> bool:
    """Whether no version of the proxy can read one directive of a log level. What is about spans is passed over."""
    trimmed = text.strip()
    first = trimmed[:1]
    if not (first.isalnum() or first in ("-", ":", "_", "[")) or not first:
        return True
    target, equals, level = text.partition("=")
    if not equals or "[" in text:
        return False
    return target != target.lstrip() or not (not level or level.lower() in _LEVELS or _NUMBER.fullmatch(level))


# https://github.com/distribution/reference: a name of at most 255 characters, a tag, a digest.
_HOST: Final = (
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
)
_PART: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"(?:{_HOST}(?::[0-9]+)?/)?{_PART}(?:/{_PART})*", re.ASCII)
_TAG: Final = re.compile(
    r"\w[\w.-]{0,127}(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?", re.ASCII
)
_LONGEST_NAME: Final = 255


def _name(facts: Facts, annotation: str, text: str) -> Iterator[Finding]:
    """The name of an image: a reference is `NAME:VERSION`."""
    wrong = _wrong_name(text) if _is_used(facts, annotation) else ""
    if wrong:
        path, key = facts.place(annotation)
        yield rules.NO_START.at(path, f"{key} is {show(text)}, {wrong}")


def _version(facts: Facts, annotation: str, text: str) -> Iterator[Finding]:
    """The version of an image. An empty one stands for the control plane's, but for that of the init container."""
    values = facts.mesh.values
    if not _is_used(facts, annotation) or _TAG.fullmatch(text) or not (text or annotation == _INIT_VERSION):
        return
    example = values.linkerd_version
    if annotation == _INIT_VERSION and values.proxy_init is not None and values.proxy_init.image is not None:
        example = values.proxy_init.image.version
    path, key = facts.place(annotation)
    sentence = f"{key} is {show(text)}, which cannot be the tag of an image, so the Pod does not start"
    yield rules.NO_START.at(path, f"{sentence}: write a tag such as {example}")


def _is_used(facts: Facts, annotation: str) -> bool:
    """Whether the Pod gets the image that an annotation is about."""
    if annotation.startswith(f"{PREFIX}debug-"):
        return facts.settings.debug
    if annotation.startswith(f"{PREFIX}init-"):
        return not (facts.mesh.values.cni_enabled or facts.mesh.line.has("rule/init-in-proxy-image"))
    return True


_INIT_VERSION: Final = f"{PREFIX}init-image-version"


def _wrong_name(name: str) -> str:
    """What is wrong with the name of an image to which a tag is added, and what to write; empty for nothing."""
    if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name):
        return ""
    bare, separator, version = name.partition("@") if "@" in name else name.rpartition(":")
    if separator and "/" not in version and _NAME.fullmatch(bare):
        return f"to which a version is added, so the Pod does not start: write {bare}, and the version apart"
    return "which cannot name an image, so the Pod does not start: write a name such as cr.l5d.io/linkerd/proxy"


_ABOUT: Final[Mapping[str, Callable[[Facts, str, str], Iterator[Finding]]]] = {
    f"{PREFIX}skip-subnets": _subnets,
    f"{PREFIX}skip-inbound-ports": _skipped_ports,
    _OUTBOUND: _skipped_ports,
    POD_INBOUND_PORTS: _inbound_ports,
    f"{PREFIX}proxy-log-level": _log_level,
    f"{PREFIX}proxy-image": _name,
    f"{PREFIX}proxy-version": _version,
    f"{PREFIX}init-image": _name,
    _INIT_VERSION: _version,
    f"{PREFIX}debug-image": _name,
    f"{PREFIX}debug-image-version": _version,
}
