"""Linkerd's default values, for use where no control plane is: trying things out, CI, tests."""

from __future__ import annotations

from importlib import resources


def default_values() -> bytes:
    """The values that `linkerd install` makes without any flag, as far as they matter here."""
    return _file("values.yaml")


def default_trust_anchors() -> bytes:
    """A root certificate that nobody has the key of."""
    return _file("trust-anchors.crt")


def _file(name: str) -> bytes:
    return resources.files("webhook.mesh").joinpath("data", name).read_bytes()
