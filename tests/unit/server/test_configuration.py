"""The mesh's configuration: what comes into force, and what is refused with the file's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from certs.issue import issue_ca
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.server.configuration import TRUST_ANCHORS, VALUES, Configuration
from webhook.server.reload import FilesRefused


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """Linkerd's defaults in two files."""
    (tmp_path / "values").write_bytes(default_values())
    (tmp_path / "anchors.crt").write_bytes(default_trust_anchors())
    return Configuration(tmp_path / "values", tmp_path / "anchors.crt", "linkerd", None)


def write_values(configuration: Configuration, **changes: Any) -> None:
    """Change sections of the values file; None takes one away."""
    values = yaml.safe_load(default_values())
    for key, value in changes.items():
        values[key] = value
    configuration.group.files[VALUES].write_text(yaml.safe_dump(values))


def test_defaults_come_into_force(configuration: Configuration) -> None:
    configuration.group.load()
    assert configuration.mesh.line.name == "edge-26.8"
    assert configuration.injector.value.refusal is None


def test_a_reload_replaces_the_injector_that_the_webhooks_hold(configuration: Configuration) -> None:
    configuration.group.load()
    current, before = configuration.injector, configuration.injector.value
    write_values(configuration, clusterDomain="example.org")
    configuration.group.load()
    assert configuration.injector is current
    assert current.value is not before
    assert current.value.mesh.values.cluster_domain == "example.org"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"proxy": None}, "proxy is missing"),
        ({"identity": None}, "identity is missing"),
        ({"proxyInit": None}, "proxyInit is missing"),
        ({"clusterNetworks": "10.0.0.0"}, '"10.0.0.0" is not a network'),
        ({"cniEnabled": "yes"}, "cniEnabled: want true or false"),
    ],
)
def test_values_that_could_inject_nothing_are_refused_with_the_file_and_the_reason(
    configuration: Configuration, changes: dict[str, Any], says: str
) -> None:
    write_values(configuration, **changes)
    with pytest.raises(FilesRefused) as caught:
        configuration.group.load()
    assert str(caught.value).startswith(f"{configuration.group.files[VALUES]}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"  \n", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_trust_anchors_without_a_certificate_are_refused(configuration: Configuration, content: bytes) -> None:
    configuration.group.files[TRUST_ANCHORS].write_bytes(content)
    with pytest.raises(FilesRefused, match=r"no trust anchor: .*write at least one certificate in PEM"):
        configuration.group.load()


def test_half_a_trust_anchor_takes_no_other_along(configuration: Configuration) -> None:
    file = configuration.group.files[TRUST_ANCHORS]
    file.write_bytes(default_trust_anchors()[:100] + b"\n" + default_trust_anchors())
    configuration.group.load()
    assert configuration.mesh.problems == []


def test_trust_anchors_that_have_all_expired_are_refused_and_one_that_holds_will_do(
    configuration: Configuration,
) -> None:
    file = configuration.group.files[TRUST_ANCHORS]
    then = datetime.now(UTC) - timedelta(days=400)
    expired = issue_ca("old", lifetime=timedelta(days=1), now=then).certificate
    file.write_bytes(expired)
    with pytest.raises(FilesRefused, match="every trust anchor has expired"):
        configuration.group.load()
    file.write_bytes(expired + default_trust_anchors())
    configuration.group.load()


def test_an_unknown_release_line_is_refused_by_its_flag(tmp_path: Path) -> None:
    (tmp_path / "values").write_bytes(default_values())
    (tmp_path / "anchors.crt").write_bytes(default_trust_anchors())
    with pytest.raises(FilesRefused, match=r'--release-line: "stable-1\.0" is older than stable-2\.12'):
        Configuration(tmp_path / "values", tmp_path / "anchors.crt", "linkerd", "stable-1.0").group.load()
