"""What is put on the node: our image, and what stands in for others'."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from tests.e2e.program import ROOT
from tests.kubernetes.cluster import Cluster, run

OURS = "registry.example.org/linkerd-webhook:test"
APP = "example.test/app:1"


def put_ours(cluster: Cluster, folder: Path) -> Path:
    """Build the Dockerfile, and put the image on the node. The image's archive comes out."""
    archive = folder / "linkerd-webhook.tar"
    cluster.node_script("image-build", str(ROOT), OURS, str(archive))
    cluster.node_script("image-load", str(cluster.folder), str(archive))
    return archive


def put_app(cluster: Cluster, folder: Path) -> None:
    """A small HTTP server, to be meshed."""
    archive = folder / "app.tar"
    cluster.node_script("image-tiny", str(archive), APP, "/tiny")
    cluster.node_script("image-load", str(cluster.folder), str(archive))


def put_linkerd(cluster: Cluster) -> None:
    """Linkerd's own objects but for what runs, and an image in the place of its proxy's, which answers its probes."""
    run([str(cluster.script.with_name("linkerd.sh")), str(cluster.folder)]).ok()


def configuration(archive: Path) -> Any:
    """What an image's archive says of it: https://github.com/moby/docker-image-spec"""
    with tarfile.open(archive) as opened:
        (manifest,) = json.load(_file(opened, "manifest.json"))
        return json.load(_file(opened, manifest["Config"]))["config"]


def own_layer(archive: Path) -> int:
    """The bytes of the layers that hold our program; the base image's are others'."""
    with tarfile.open(archive) as opened:
        (manifest,) = json.load(_file(opened, "manifest.json"))
        size = 0
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=_file(opened, name)) as layer:
                if any(member.name.startswith("venv/") for member in layer):
                    size += opened.getmember(name).size
        return size


def _file(archive: tarfile.TarFile, name: str) -> Any:
    result = archive.extractfile(name)
    assert result is not None, f"no {name} in the image's archive"
    return result
