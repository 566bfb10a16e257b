"""The settings of a KRM function: where they stand, and what is said of one that cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cli.inject import inject
from webhook.cli.uninject import uninject
from webhook.meshing import settings as module
from webhook.meshing.settings import Settings


def of(entries: Any, kind: str = "ConfigMap") -> Settings:
    """The settings of a ConfigMap with this data, or of another kind with this spec."""
    within = "data" if kind == "ConfigMap" else "spec"
    return Settings.of({"apiVersion": "v1", "kind": kind, "metadata": {"name": "mesh"}, within: entries})


def said(settings: Settings) -> list[tuple[str, str, str]]:
    """Severity, field and message of each result."""
    return [(result.severity, result.path, result.message) for result in settings.results]


def test_a_config_map_has_them_in_its_data_and_another_kind_in_its_spec() -> None:
    assert of({"manual": "true", "proxy-cpu-request": "1"}).given == {"manual": "true", "proxy-cpu-request": "1"}
    assert of({"manual": True, "proxy-cpu-request": 1}, "Mesh").given == {"manual": "true", "proxy-cpu-request": "1"}


def test_nothing_is_given_without_an_object() -> None:
    assert (Settings.of({}).given, Settings.of({}).results) == ({}, [])


def test_a_list_is_as_with_commas_between() -> None:
    assert of({"skip-inbound-ports": [25, "3306-3310"]}, "Mesh").given == {"skip-inbound-ports": "25,3306-3310"}


def test_values_may_stand_there_themselves() -> None:
    assert of({"values": {"clusterDomain": "a.test"}}, "Mesh").given == {"values": '{"clusterDomain":"a.test"}\n'}


@pytest.mark.parametrize(
    ("entries", "field", "message"),
    [
        ({"manual": "perhaps"}, "data.manual", 'manual is "perhaps": write "true" or "false"'),
        ({"proxy-cpu-requst": "1"}, "data.proxy-cpu-requst", "not a setting: write proxy-cpu-request"),
        ({"ajar": "1"}, "data.ajar", "ajar is not a setting: write one of admin-port, "),
        ({"proxy-uid": None}, "data.proxy-uid", "proxy-uid is null: write a text"),
        ({"proxy-uid": {"a": 1}}, "data.proxy-uid", 'proxy-uid is {"a":1}: write a text'),
        ({"manual": []}, "data.manual", "manual is []: write true or false"),
        ({"all": "true"}, "data.all", 'all is a setting of uninject: leave it out, or write uninject: "true"'),
        (
            {"uninject": "true", "manual": "true"},
            "data.manual",
            'manual is a setting of inject: leave it out, or leave out uninject: "true"',
        ),
        (7, "data", 'this is not a map: write settings, such as manual: "true"'),
    ],
)
def test_one_that_cannot_be_used_is_named_with_its_place(entries: Any, field: str, message: str) -> None:
    ((severity, path, text),) = said(of(entries))
    assert (severity, path) == ("error", field)
    assert message in text


def test_one_that_stands_elsewhere_is_named() -> None:
    settings = Settings.of({"apiVersion": "example.org/v1", "kind": "Mesh", "manual": True, "data": {}})
    assert said(settings) == [
        ("error", "manual", "settings of a Mesh stand in spec: write it there"),
        ("error", "data", "settings of a Mesh stand in spec: write it there"),
    ]


def test_a_deprecated_one_warns() -> None:
    assert said(of({"proxy-cpu": "1"})) == [
        ("warning", "data.proxy-cpu", "proxy-cpu is deprecated: use proxy-cpu-request")
    ]


def test_the_settings_are_the_flags_but_for_those_about_files_and_clusters() -> None:
    about_files = {"output", "check", "diff", "in-place", "keep-going", "report", "verbose", "no-color"}
    about_clusters = {"kubeconfig", "context", "as", "as-group", "api-addr"}
    not_settings = about_files | about_clusters | {"disable-identity"}
    for command, known in ((inject, module._OF_INJECT), (uninject, module._OF_UNINJECT)):
        flags = {option.removeprefix("--") for one in command.params for option in one.opts if option.startswith("--")}
        if command is uninject:
            flags -= {"linkerd-namespace"}
        assert flags - not_settings == known - {"uninject"}
