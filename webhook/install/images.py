"""Recognises this program by the image of a container, in whatever registry it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from webhook.install.configurations import NAME
from webhook.kube.fields import mapping, mappings, text
from webhook.kube.interface import JSON


class Image(NamedTuple):
    """Name, tag and digest of an image, "" for what it does not name. A port of the registry is part of the name."""

    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, image: str) -> Image:
        """`[REGISTRY/]NAME[:TAG][@DIGEST]`."""
        named, _, digest = image.partition("@")
        host, slash, last = named.rpartition("/")
        name, _, tag = last.partition(":")
        return cls(f"{host}{slash}{name}", tag, digest)

    @property
    def ours(self) -> bool:
        """Whether it is this program's: whoever copies it to another registry keeps the last part of its name."""
        return self.name.rpartition("/")[2] == NAME

    @property
    def version(self) -> str:
        """The tag, else the digest."""
        return self.tag or self.digest or "unknown"


def containers(deployment: JSON) -> Iterator[JSON]:
    """The containers of a Deployment's template."""
    return mappings(mapping(deployment, "spec", "template", "spec"), "containers")


def running_ours(deployment: JSON) -> list[JSON]:
    """The containers of a Deployment that run this program."""
    return [container for container in containers(deployment) if Image.parse(text(container, "image")).ours]
