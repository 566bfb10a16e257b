"""The mesh's configuration: what comes into force, and what is refused with the file's name."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from certs.issue import issue_ca
from tests.waiting import until
from webhook.injector.inject import Injector
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.mesh.releases import LINES
from webhook.server import configuration as module
from webhook.server.configuration import TRUST_ANCHORS, VALUES, Configuration, only_line
from webhook.server.reload import FilesRefused, Pace, Reloader


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


def test_each_trust_anchor_in_effect_is_known_once_with_its_end(configuration: Configuration) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    roots = [issue_ca(name, lifetime=timedelta(days=days), now=now) for name, days in (("old", 40), ("new", 400))]
    file = configuration.group.files[TRUST_ANCHORS]
    file.write_bytes(b"".join(root.certificate for root in [*roots, roots[0]]))
    configuration.group.load()
    old, new = configuration.anchors
    assert (old.subject, new.subject) == ("CN=old", "CN=new")
    assert [(anchor.not_after - now.timestamp()) / 86_400 for anchor in (old, new)] == pytest.approx([40, 400], abs=0.1)
    assert len(old.sha256) == 64 and old.sha256 != new.sha256


def test_an_unknown_release_line_is_refused_by_its_flag(tmp_path: Path) -> None:
    (tmp_path / "values").write_bytes(default_values())
    (tmp_path / "anchors.crt").write_bytes(default_trust_anchors())
    with pytest.raises(FilesRefused, match=r'--release-line: "stable-1\.0" is older than stable-2\.12'):
        Configuration(tmp_path / "values", tmp_path / "anchors.crt", "linkerd", "stable-1.0").group.load()


@pytest.mark.parametrize(("typed", "meant"), [("verson-2.16", "version-2.16"), ("edge26.8", "edge-26.8")])
def test_a_release_line_with_a_typing_error_is_refused_at_start_and_the_nearest_is_named(
    configuration: Configuration, typed: str, meant: str
) -> None:
    configuration._release_line = typed
    with pytest.raises(FilesRefused, match=rf"--release-line: .*{typed}.* did you mean {meant}"):
        configuration.group.load()


class Told:
    """What was logged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entries: list[dict[str, Any]] = []
        logger = structlog.wrap_logger(None, processors=[self._keep])
        monkeypatch.setattr(module, "log", logger)

    def _keep(self, _: object, level: str, entry: Any) -> Any:
        self.entries.append({"level": level, **entry})
        raise structlog.DropEvent

    def of(self, event: str) -> list[dict[str, Any]]:
        """The entries of one event, without its name."""
        return [{k: v for k, v in entry.items() if k != "event"} for entry in self.entries if entry["event"] == event]


class TestReleaseLine:
    """Which line is in force."""

    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> Told:
        """Kept in place of written."""
        return Told(monkeypatch)

    def test_is_logged_when_it_comes_into_force_and_when_it_changes_with_what_decided(
        self, configuration: Configuration, told: Told
    ) -> None:
        configuration.group.load()
        write_values(configuration, clusterDomain="example.org")
        configuration.group.load()
        configuration.group.files[VALUES].write_bytes(default_values("version-2.17"))
        configuration.group.load()
        (start,) = told.of("release line")
        assert (start["level"], start["line"]) == ("info", "edge-26.8")
        assert start["why"].startswith("linkerdVersion is edge-26.8")
        (change,) = told.of("the release line has changed")
        assert (change["before"], change["line"]) == ("edge-26.8", "version-2.17")
        assert "linkerdVersion is " in change["why"]
        assert configuration.line.why == change["why"]
        assert told.of("values") == []

    def test_of_a_chosen_one_is_told_by_the_option(self, configuration: Configuration, told: Told) -> None:
        configuration._release_line = "version-2.17"
        configuration.group.files[VALUES].write_bytes(default_values("version-2.18"))
        configuration.group.load()
        assert [entry["why"] for entry in told.of("release line")] == ["--release-line is version-2.17"]

    def test_without_values_is_the_newest_or_the_chosen_one_and_why(self, told: Told) -> None:
        newest, chosen = only_line(None), only_line("stable-2.14")
        assert (newest.line.name, chosen.line.name) == (LINES[-1], "stable-2.14")
        assert "no values are mounted" in newest.why
        assert chosen.why == "--release-line is stable-2.14"
        assert [entry["line"] for entry in told.entries] == [LINES[-1], "stable-2.14"]

    def test_keys_of_another_line_are_named_in_one_warning_each_time_the_values_change(
        self, configuration: Configuration, told: Told
    ) -> None:
        values = {**yaml.safe_load(default_values("version-2.19")), "linkerdVersion": "version-2.18"}
        configuration.group.files[VALUES].write_text(yaml.safe_dump(values))
        configuration.group.load()
        (warning,) = told.of("values")
        assert warning["level"] == "warning"
        assert "no effect in version-2.18: " in warning["problem"]
        assert "came with edge-25.6.4 (version-2.19)" in warning["problem"]


class Volume:
    """The values and the trust anchors as a ConfigMap's mount: links into a folder to which a link leads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self.swap(default_values())
        for name in ("values", "anchors.crt"):
            (folder / name).symlink_to(Path("..data", name))

    def swap(self, values: bytes) -> None:
        """Exchange the contents, in one step."""
        self._count += 1
        target = self.folder / f"..{self._count}"
        target.mkdir()
        (target / "values").write_bytes(values)
        (target / "anchors.crt").write_bytes(default_trust_anchors())
        (self.folder / "..data_tmp").symlink_to(target.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")


class TestAnUpgrade:
    """Linkerd is upgraded underneath: the ConfigMap has the values of another release."""

    @pytest.fixture
    def volume(self, tmp_path: Path) -> Volume:
        """The newest line's values."""
        return Volume(tmp_path)

    @pytest.fixture
    async def running(self, volume: Volume) -> AsyncIterator[Configuration]:
        """Loaded and watched."""
        result = Configuration(volume.folder / "values", volume.folder / "anchors.crt", "linkerd", None)
        result.group.load()
        reloader = Reloader([result.group], Pace(poll=0.2, second_look=0.02, settle=0.02))
        reloader.start()
        yield result
        await reloader.stop()

    async def test_changes_the_line_and_the_injector_at_once_and_without_a_restart(
        self, volume: Volume, running: Configuration
    ) -> None:
        for name in ("stable-2.12", "version-2.16", LINES[-1]):
            volume.swap(default_values(name))
            await until(lambda name=name: running.line.line.name == name)  # type: ignore[misc]
            assert running.injector.value.mesh is running.mesh
            assert running.injector.value.known == Injector(running.mesh).known

    async def test_values_exchanged_twice_at_once_leave_the_last_in_force(
        self, volume: Volume, running: Configuration
    ) -> None:
        for _ in range(3):
            volume.swap(default_values("stable-2.12"))
            volume.swap(default_values("version-2.19"))
            await until(lambda: running.line.line.name == "version-2.19")
            assert running.injector.value.mesh.line.name == "version-2.19"
            volume.swap(default_values("version-2.17"))
            await until(lambda: running.line.line.name == "version-2.17")

    async def test_values_that_are_too_old_change_nothing_and_say_so(
        self, volume: Volume, running: Configuration
    ) -> None:
        before = running.mesh
        volume.swap(default_values("stable-2.12").replace(b"stable-2.12.", b"stable-2.11."))
        await until(lambda: running.group.error)
        assert "linkerdVersion is stable-2.11." in running.group.error
        assert "older than stable-2.12" in running.group.error
        assert running.mesh is before
        volume.swap(default_values("stable-2.13"))
        await until(lambda: running.line.line.name == "stable-2.13")
        assert running.group.error == ""
