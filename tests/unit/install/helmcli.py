"""Helm, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[3] / "deploy" / "chart"
HELM = os.environ.get("WEBHOOK_TEST_HELM") or shutil.which("helm") or ""

needs_helm = pytest.mark.skipif(not HELM, reason="no helm on PATH, nor in WEBHOOK_TEST_HELM")

IMAGE = "registry.example.org/linkerd-webhook"

Objects = dict[tuple[str, str], dict[str, Any]]


def helm(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run it, with nothing of the user's."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "HELM_CACHE_HOME": str(home)}
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, env=environment)


def templated(*arguments: str, home: Path, version: str = "1.36", namespace: str = "linkerd") -> Objects:
    """The objects of the chart, with an image."""
    where = f"--namespace={namespace}", f"--kube-version={version}.0"
    # A file of values has an image of its own.
    image = (
        () if any(argument.startswith("--values=") for argument in arguments) else (f"--set=image.repository={IMAGE}",)
    )
    done = helm("template", "any", str(CHART), *where, *image, *arguments, home=home)
    assert done.returncode == 0, done.stderr
    return by_name(body for body in yaml.safe_load_all(done.stdout) if body)


def by_name(objects: Any) -> Objects:
    """Objects by kind and name; none is there twice."""
    result: Objects = {}
    for body in objects:
        key = body["kind"], body["metadata"]["name"]
        assert key not in result
        result[key] = body
    return result
