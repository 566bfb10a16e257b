"""The log tells when the server gets ready, and why it does not."""

from __future__ import annotations

from typing import Any

import pytest

from certs.tls import ServedCertificate
from webhook.diagnosis.condition import Condition
from webhook.mesh.releases import choose
from webhook.server import admin, readiness
from webhook.server.readiness import Readiness


class Watched:
    """A server whose readiness is looked at, and what was logged about it, as (level, text, fields)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.missing = {"trusted": "no caBundle"}
        for level in ("info", "warning"):
            monkeypatch.setattr(
                readiness.log, level, lambda text, level=level, **more: self.said.append((level, text, more))
            )
        cache = admin.Cache(synced=True)
        self.status = admin.Status(
            ServedCertificate(), [], lambda: cache, lambda: choose("edge-26.8"), self._conditions
        )
        self.readiness = Readiness(self.status)

    def _conditions(self) -> list[Condition]:
        missing: list[Condition] = [
            {"name": name, "ok": False, "required": True, "message": why} for name, why in self.missing.items()
        ]
        return [*missing, {"name": "adoption", "ok": False, "required": False, "message": "not required"}]

    def look(self, *times: float) -> list[tuple[str, str, dict[str, Any]]]:
        """What was logged at these looks."""
        self.said.clear()
        for now in times:
            self.readiness.check(now)
        return list(self.said)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_nothing_is_said_of_a_server_that_is_not_ready_yet(watched: Watched) -> None:
    assert watched.look(100.0, 101.0, 109.9) == []


def test_after_ten_seconds_each_failing_condition_is_said_with_its_reason(watched: Watched) -> None:
    watched.missing["namespaces"] = "the first list is not complete"
    watched.look(100.0)
    observation = watched.look(110.0)
    assert [(level, more["condition"]) for level, _, more in observation] == [
        ("warning", "trusted"),
        ("warning", "namespaces"),
    ]
    assert "no caBundle" in observation[0][1]
    assert observation[0][2]["seconds"] == 10


def test_it_is_said_again_each_minute_and_not_more_often(watched: Watched) -> None:
    watched.look(100.0, 110.0)
    assert watched.look(111.0, 140.0, 169.9) == []
    assert len(watched.look(170.0)) == 1
    assert watched.look(171.0, 229.0) == []
    assert len(watched.look(230.0)) == 1


def test_getting_ready_is_said_once_with_how_long_it_took(watched: Watched) -> None:
    watched.look(100.0)
    watched.missing.clear()
    assert watched.look(102.5) == [("info", "ready: this replica gets requests", {"unready_s": 2.5})]
    assert watched.look(103.0, 200.0) == []


def test_getting_unready_is_said_with_the_reason_and_reminded_of_as_at_the_start(watched: Watched) -> None:
    watched.look(100.0)
    watched.missing.clear()
    watched.look(101.0)
    watched.missing["trusted"] = "spoilt"
    [(level, text, more)] = watched.look(131.0)
    assert (level, text) == ("info", "no longer ready")
    assert (more["conditions"], more["why"], more["ready_s"]) == ("trusted", "spoilt", 30.0)
    assert watched.look(140.9) == []
    assert [level for level, _, _ in watched.look(141.0)] == ["warning"]


def test_a_server_that_shuts_down_says_nothing_more(watched: Watched) -> None:
    watched.look(100.0)
    watched.status.drain()
    assert watched.look(120.0, 200.0) == []


def test_a_replica_is_told_as_ready_from_its_check_on_and_until_it_shuts_down(watched: Watched) -> None:
    watched.look(100.0)
    assert not watched.readiness.is_ready
    watched.missing.clear()
    watched.look(101.0)
    assert watched.readiness.is_ready
    watched.status.drain()
    watched.look(102.0)
    assert not watched.readiness.is_ready
