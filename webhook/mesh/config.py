"""What the control plane has configured: its values, its trust anchors, and the release line that these belong to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from webhook.grammar import GrammarError, is_above, is_cidr, parse_duration
from webhook.mesh import releases
from webhook.mesh.gostruct import YAML, describe
from webhook.mesh.values import Values, known_to, unknown_to
from webhook.yaml import objects


class ConfigError(Exception):
    """Values or trust anchors that cannot be used. `problems` holds one sentence each; str() is all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Mesh:
    """The configuration that every injection starts from. `problems` are why an injection would be refused, `why` is
    the fact that decided about `line`."""

    line: releases.Line
    values: Values
    trust_anchors: str
    trust_anchors_sha256: str
    linkerd_namespace: str = "linkerd"
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unknown_version: bool = False
    why: str = ""

    @classmethod
    def load(
        cls, values: bytes, trust_anchors: bytes, *, linkerd_namespace: str = "linkerd", release_line: str | None = None
    ) -> Mesh:
        """Read the `values` of the linkerd-config ConfigMap (YAML) and the trust anchors (PEM).

        `release_line` overrules what the values say of themselves (`releases.choose`, whose `ValueError` it raises).
        Raises `ConfigError` for values that the reference refuses to read. What it reads and then refuses to inject
        with (an unknown iptables mode, no trust anchors) is in `problems`.
        """
        raw = _read_yaml(values)
        try:
            detected = releases.choose(release_line, raw) if release_line else releases.detect(raw)
        except releases.TooOld as error:
            if release_line:
                raise
            raise ConfigError([f"values: {error}"]) from None
        try:
            model = Values.model_validate(known_to(detected.line, raw), context=YAML)
        except ValidationError as error:
            raise ConfigError([_explain(e["loc"], e["msg"], e["input"]) for e in error.errors()]) from None
        anchors = trust_anchors.decode("utf-8", errors="replace")
        return cls(
            line=detected.line,
            values=model,
            trust_anchors=anchors,
            trust_anchors_sha256=hashlib.sha256(trust_anchors).hexdigest(),
            linkerd_namespace=linkerd_namespace,
            warnings=[
                *([detected.warning] if detected.warning else []),
                *_unknown_warnings(raw, detected.line),
                *_timeout_warnings(model),
                *_resource_warnings(model, detected.line),
            ],
            problems=[*_network_problems(model.cluster_networks), *_anchor_problems(anchors)],
            unknown_version=detected.unknown,
            why=detected.why,
        )


def _read_yaml(values: bytes) -> dict[str, Any]:
    try:
        raw = objects.read(values.decode("utf-8-sig"))
    except objects.Broken as broken:
        raise ConfigError([f"the values are not YAML: line {broken.line}: {broken.message}"]) from None
    except UnicodeDecodeError as error:
        from webhook.yaml.wording import undecodable

        line, _, message = undecodable(error)
        raise ConfigError([f"the values are not YAML: line {line}: {message}"]) from None
    if raw is None:
        raise ConfigError(["the values are empty: give the text that the ConfigMap linkerd-config has under `values`"])
    if not isinstance(raw, dict):
        sentence = f"the values are {describe(raw)}, and must be an object: give the text that the ConfigMap"
        raise ConfigError([f"{sentence} linkerd-config has under `values`"])
    return raw


def _explain(location: tuple[int | str, ...], message: str, value: Any) -> str:
    path = ".".join(str(part) for part in location)
    text = message.removeprefix("Value error, ")
    return f"values: {path}: {text}" if "got" in text else f"values: {path}: {text}, got {describe(value)}"


def _unknown_warnings(raw: dict[str, Any], line: releases.Line) -> list[str]:
    """Keys of another line, as in values that name an older Linkerd than they are written for."""
    match unknown_to(line, raw):
        case []:
            return []
        case [sentence]:
            key, _, came = sentence.partition(" ")
            return [f"values: {key} has no effect in {line.name}: it {came}"]
        case sentences:
            return [f"values: {len(sentences)} keys have no effect in {line.name}: {', '.join(sentences)}"]


def _timeout_warnings(values: Values) -> list[str]:
    """Under CNI the network validator starts in every Pod, and fails over a timeout that it cannot read."""
    if not values.cni_enabled or values.network_validator is None:
        return []
    try:
        parse_duration(values.network_validator.timeout)
    except GrammarError as error:
        timeout = values.network_validator.timeout
        return [f'values: networkValidator.timeout is "{timeout}", not {error}: no injected Pod starts with it']
    return []


def _resource_warnings(values: Values, line: releases.Line) -> list[str]:
    """Requests above limits: no Pod that has a proxy with these gets into the cluster, unless annotations mend it."""
    sections = [("proxy", values.proxy.resources if values.proxy else None)]
    if not line.has("rule/init-has-proxy-resources"):
        sections.append(("proxyInit", values.proxy_init.resources if values.proxy_init else None))
    return [
        f"values: {section}.resources.{kind}.request is {amounts.request}, above the limit {amounts.limit}, so the API "
        f"server refuses every injected Pod: write {amounts.limit} or less, or raise the limit"
        for section, resources in sections
        if resources is not None
        for kind, amounts in (
            ("cpu", resources.cpu),
            ("memory", resources.memory),
            ("ephemeral-storage", resources.ephemeral_storage),
        )
        if is_above(amounts.request, amounts.limit)
    ]


def _network_problems(networks: str) -> list[str]:
    """Go's `net.ParseCIDR` on each: an address and a prefix length, no blanks."""
    if not networks:
        return []
    return [
        f'values: clusterNetworks: "{network}" is not a network such as 10.0.0.0/8: write networks with commas '
        "between and nothing else"
        for network in networks.strip(",").split(",")
        if not is_cidr(network)
    ]


def _anchor_problems(anchors: str) -> list[str]:
    if anchors:
        return []
    return ["the trust anchors are empty, and no proxy gets an identity without one: give a certificate in PEM"]
