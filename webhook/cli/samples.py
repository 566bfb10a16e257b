"""The sample cluster and reviews that come with the program."""

from __future__ import annotations

from pathlib import Path

import webhook


def folder() -> Path:
    """The folder of the samples: inside an installed package, else `deploy/samples` of the checkout."""
    package = Path(webhook.__file__).parent
    installed = package / "samples"
    return installed if installed.is_dir() else package.parent / "deploy" / "samples"


def cluster() -> Path:
    """The manifests of the sample cluster."""
    return folder() / "cluster.yaml"


def reviews() -> list[Path]:
    """The sample AdmissionReviews, in their order."""
    return sorted(folder().glob("*.json"))
