"""`check` on a real API server, by whoever has the rights that `install --rbac-for check` prints and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import Installation, command
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, Room
from tests.e2e.program import ROOT
from tests.e2e.waiting import until

READER = "sa:default:reader"


@pytest.fixture(scope="module")
def in_force(api: ApiServer, newest: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that answers, and a Namespace that asks for it."""
    folder = tmp_path_factory.mktemp("rights")
    with installed(api, newest, folder / "linkerd"), Installation(api, newest, folder) as ours:
        ours.start(2)
        until("configurations in force", ours.in_force, within=30)
        Room.create(api, "shop", ENABLED)
        yield ours


@pytest.fixture(params=[[], ["--with-secrets"]], ids=["", "with-secrets"])
def reader(
    api: ApiServer, in_force: Installation, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Path, bool]]:
    """The kubeconfig of somebody with these rights, and whether Secrets are among them."""
    secrets: list[str] = request.param
    printed = command("install", "--rbac-for", "check", "--to", "ServiceAccount:default/reader", *secrets)
    bodies = list(yaml.safe_load_all(printed))
    for body in bodies:
        api.apply(body)
    as_reader = api.as_user(READER)
    until("the rights", lambda: as_reader.request("GET", "/api/v1/namespaces").status == 200, within=10)
    path = tmp_path / "kubeconfig"
    path.write_text(api.kubeconfig(READER))
    yield path, bool(secrets)
    as_reader.close()
    for body in bodies:
        api.delete(body)


def check(kubeconfig: Path, *flags: str) -> JSON:
    """What `check` reports."""
    line = [
        sys.executable,
        "-m",
        "webhook.cli",
        "check",
        f"--kubeconfig={kubeconfig}",
        "-o",
        "json",
        "--wait=0s",
        *flags,
    ]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    body: JSON = json.loads(done.stdout)
    return body


@pytest.mark.parametrize("flags", [[], ["--proxy"], ["-n", "shop"]])
def test_no_line_fails_for_want_of_a_right(reader: tuple[Path, bool], flags: list[str]) -> None:
    body = check(reader[0], *flags)
    lines: list[Any] = [check for category in body["categories"] for check in category["checks"]]
    assert len(lines) > 3
    assert [line["error"] for line in lines if "grant " in line.get("error", "")] == []


def test_only_secrets_and_a_dry_run_are_skipped_for_want_of_one(reader: tuple[Path, bool]) -> None:
    kubeconfig, secrets = reader
    lacking = [element["reason"] for element in check(kubeconfig)["skipped"] if "grant " in element["reason"]]
    assert any("secrets/" in reason for reason in lacking) is not secrets
    assert [reason for reason in lacking if "secrets/" not in reason and "create pods" not in reason] == []
