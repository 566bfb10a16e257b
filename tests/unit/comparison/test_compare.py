"""Two releases make something else of one Pod; each change names the release that it came with."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from webhook.comparison.compare import (
    PROXY_VERSION,
    Change,
    Comparer,
    PodComparison,
    counting_annotations,
    moved_defaults,
    plain_pod,
)
from webhook.comparison.modes import plain, shared
from webhook.comparison.sides import Given, Walk, merged, side
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.defaults import default_values
from webhook.mesh.releases import LINES, between, choose
from webhook.review import JSON
from webhook.yaml import objects


def walk(before: str, after: str, values: JSON | None = None) -> Walk:
    """The way between two releases, with their defaults or with these values on both."""
    first, _ = side(before, values)
    second, _ = side(after, None, kept=values)
    return Walk(first, second)


def changes(before: str, after: str, given: Given | None = None, values: JSON | None = None) -> dict[str, Change]:
    """What changes in a Pod, by place."""
    result = Comparer(walk(before, after, values), "").compare(given or plain_pod()).changes
    assert len({one.path for one in result}) == len(result)
    return {one.path: one for one in result}


def annotated(**annotations: str) -> Given:
    """A Pod with annotations `config.linkerd.io/…`, written with underscores."""
    given = plain_pod()
    keys = {f"config.linkerd.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    pod = merged(given.pod, {"metadata": {"annotations": keys}})
    return given._replace(pod=pod, subject=Subject.of("Pod", pod))


class TestPods:
    @pytest.mark.parametrize("name", [*LINES, "stable-2.12.0", "edge-24.7.5", "edge-25.4.3"])
    def test_a_release_changes_nothing_from_itself(self, name: str) -> None:
        assert changes(name, name) == {}

    @pytest.mark.parametrize(
        ("before", "after", "where", "kind", "since"),
        [
            ("stable-2.14.10", "edge-26.8.3", "linkerd-proxy env _pod_ip", "added", "edge-25.5.5 (version-2.19)"),
            ("version-2.18", "version-2.19", "linkerd-proxy env _pod_ip", "added", "edge-25.5.5 (version-2.19)"),
            (
                "version-2.17",
                "version-2.18",
                "linkerd-proxy env LINKERD2_PROXY_CORES_MIN",
                "added",
                "edge-25.3.3 (version-2.18)",
            ),
            ("version-2.20", "version-2.19", "linkerd-init command", "removed", "edge-25.11.3 (version-2.20)"),
            (
                "stable-2.12.2",
                "stable-2.13",
                "linkerd-init securityContext.seccompProfile",
                "added",
                "edge-23.1.2 (stable-2.13)",
            ),
            (
                "stable-2.14.3",
                "stable-2.14.4",
                "linkerd-proxy env LINKERD2_PROXY_DESTINATION_CONTEXT",
                "changed",
                "stable-2.14.4",
            ),
            ("stable-2.12.0", "stable-2.12.1", "annotation linkerd.io/trust-root-sha256", "added", "stable-2.12.1"),
            ("version-2.15", "version-2.16", "linkerd-init args --ipv6", "added", "edge-24.4.1 (version-2.16)"),
            ("version-2.15", "version-2.16", "linkerd-init resources", "removed", "edge-24.6.4 (version-2.16)"),
        ],
    )
    def test_a_change_names_the_release_that_it_came_with(
        self, before: str, after: str, where: str, kind: str, since: str
    ) -> None:
        change = changes(before, after)[where]
        assert (change.kind, change.since) == (kind, since)

    def test_what_changed_twice_names_both_releases(self) -> None:
        change = changes("version-2.15", "version-2.16")["linkerd-proxy env LINKERD2_PROXY_LOG"]
        assert change.since == "edge-24.6.2, edge-24.8.1 (version-2.16)"

    def test_what_only_the_values_change_names_no_release(self) -> None:
        where = "linkerd-proxy env LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS"
        assert changes("version-2.15", "version-2.16")[where].since == ""
        kept = objects.read(default_values("version-2.15").decode())
        assert where not in changes("version-2.15", "version-2.16", values=kept)

    def test_a_flag_of_the_values_and_one_of_a_release_are_two_changes(self) -> None:
        result = changes("stable-2.14.10", "edge-26.8.3")
        by_values, by_release = (result[f"linkerd-init args --{flag}"] for flag in ("firewall-bin-path", "ipv6"))
        assert (by_values.new, by_values.since) == ("iptables-nft", "")
        assert (by_release.new, by_release.since) == ("false", "edge-24.4.1 (version-2.16)")

    def test_the_version_is_told_once(self) -> None:
        result = changes("version-2.17", "version-2.18")
        assert (result[PROXY_VERSION].old, result[PROXY_VERSION].new) == ("version-2.17", "version-2.18")
        told = [path for path in result if path.endswith((" image", "proxy-version", "created-by"))]
        # That one has a version of its own.
        assert told == ["linkerd-init image"]

    def test_another_image_is_no_mere_version(self) -> None:
        change = changes("version-2.19", "version-2.20")["linkerd-init image"]
        assert "cr.l5d.io/linkerd/proxy " in change.todo

    def test_a_pod_that_wants_no_proxy_does_not_change(self) -> None:
        given = plain_pod()._replace(namespace=Namespace("default", {}, {}))
        assert changes("stable-2.12", "edge-26.8", given) == {}

    def test_a_pod_that_the_new_release_refuses_is_told_with_the_reason(self) -> None:
        given = annotated(proxy_log_http_headers="all")
        result = changes("stable-2.14", "version-2.16", given)
        assert list(result) == ["injection"]
        change = result["injection"]
        assert (change.old, change.since) == ("injected", "edge-24.6.2 (version-2.16)")
        assert change.new.startswith("refused: ")
        assert change.todo.startswith("correct the workload before the upgrade")

    def test_each_pod_is_traced_by_its_own_annotations(self) -> None:
        """One comparer remembers: what it says of a Pod does not depend on those before."""
        comparer = Comparer(walk("stable-2.14", "edge-26.8"), "")
        pods = [plain_pod(), annotated(init_image="x"), annotated(proxy_cpu_limit="2"), annotated(proxy_gid="7")]
        for given in (*pods, *reversed(pods)):
            fresh = Comparer(walk("stable-2.14", "edge-26.8"), "").compare(given)
            assert comparer.compare(given).changes == fresh.changes

    def test_the_given_pod_is_left_as_it_is(self) -> None:
        given = plain_pod()
        before = repr(given.pod)
        changes("stable-2.12", "edge-26.8", given)
        assert repr(given.pod) == before


@pytest.mark.parametrize(
    ("before", "after"), [*pairwise(LINES), ("stable-2.12", "edge-26.8"), ("edge-26.8", "stable-2.12")]
)
@pytest.mark.parametrize(
    "given", [plain_pod(), annotated(init_image="x", proxy_cpu_limit="2", skip_subnets="10.0.0.0/8")]
)
def test_every_change_comes_with_a_release_between_the_two(before: str, after: str, given: Given) -> None:
    older, newer = sorted((choose(before).line.release, choose(after).line.release))
    names = {name.partition(" (")[0] for name in (boundary.name for boundary in between(older, newer))}
    for values in ({"cniEnabled": False}, {"cniEnabled": True}, {"proxy": {"nativeSidecar": True}}):
        way = walk(before, after)
        sides = (way.before, way.after)
        first, second = (one.__class__(one.name, one.line, merged(one.values, values)) for one in sides)
        for change in Comparer(Walk(first, second), "").compare(given).changes:
            assert set(re.findall(r"(?:edge|stable)-[0-9.]+(?![0-9.]*\))", change.since)) <= names


def test_with_the_same_values_every_change_has_a_release() -> None:
    """Nothing else can have changed it; but the version, which an upgrade changes by itself."""
    values = merged(
        objects.read(default_values("edge-26.8").decode()), objects.read(default_values("stable-2.14").decode())
    )
    first, second = side("stable-2.14", values)[0], side("edge-26.8", values)[0]
    result = Comparer(Walk(first, second), "").compare(plain_pod()).changes
    assert result
    assert [change.path for change in result if not change.since] == []


class TestShared:
    def test_a_change_is_told_once_with_all_modes_that_have_it(self) -> None:
        pods = plain(side("stable-2.14", None)[0], side("edge-26.8", None)[0], has_values=False)
        parts = shared(pods)
        assert [(part.modes, part.is_all) for part in parts] == [
            (("init container", "CNI", "native sidecar"), True),
            (("init container", "native sidecar"), False),
            (("CNI",), False),
            (("native sidecar",), False),
        ]
        for pod in pods:
            own = [repr(change) for part in parts if pod.mode in part.modes for change in part.changes]
            assert sorted(own) == sorted(map(repr, pod.changes))

    def test_what_all_modes_share_comes_first(self) -> None:
        one, two = (Change(name, "added", None, 1, "", "") for name in ("one", "two"))
        pods = [
            PodComparison("a Pod", mode, element, {}, {}, "") for mode, element in (("A", (one, two)), ("B", (two,)))
        ]
        assert shared(pods) == [(("A", "B"), (two,), True), (("A",), (one,), False)]


class TestModes:
    def test_without_values_there_is_a_pod_in_each(self) -> None:
        modes = [pod.mode for pod in self._plain("version-2.19", "edge-26.8")]
        assert modes == ["init container", "CNI", "native sidecar"]

    def test_a_release_without_native_sidecars_has_none(self) -> None:
        assert [pod.mode for pod in self._plain("stable-2.12", "stable-2.14")] == ["init container", "CNI"]

    def test_values_say_which(self) -> None:
        values = merged(objects.read(default_values("version-2.17").decode()), {"cniEnabled": True})
        modes = [pod.mode for pod in self._plain("version-2.17", "version-2.18", values)]
        assert modes == ["CNI", "CNI, native sidecar"]

    def test_a_proxy_that_becomes_a_native_sidecar_is_told_by_its_place(self) -> None:
        native = self._plain("stable-2.14", "edge-26.8")[2]
        change = next(one for one in native.changes if one.path == "linkerd-proxy place")
        assert (change.old, change.new, change.since) == ("containers", "initContainers", "edge-23.11.4 (version-2.15)")
        assert "Kubernetes 1.29" in change.todo

    def _plain(self, before: str, after: str, values: JSON | None = None) -> list[Any]:
        first, second = side(before, values)[0], side(after, None, kept=values)[0]
        return plain(first, second, has_values=values is not None)


class TestAnnotations:
    def test_without_pods_all_that_begin_or_end_are_told(self) -> None:
        result = {one.annotation: one for one in counting_annotations(walk("stable-2.14.10", "edge-26.8.3"), None)}
        begun, ended = result["config.linkerd.io/proxy-gid"], result["config.linkerd.io/init-image"]
        assert (begun.begins, begun.since, begun.todo) == (True, "edge-24.5.4 (version-2.16)", "")
        assert (ended.begins, ended.since) == (False, "edge-25.11.3 (version-2.20)")
        assert ended.todo == "where a Pod or Namespace has it, remove it"

    def test_with_pods_only_theirs_are(self) -> None:
        given = annotated(init_image="x", proxy_log_level="debug")
        (one,) = counting_annotations(walk("stable-2.14", "edge-26.8"), [given, plain_pod()])
        assert (one.annotation, one.todo, one.objects) == (
            "config.linkerd.io/init-image",
            "remove it",
            ("a plain Pod",),
        )

    def test_one_that_is_no_longer_inherited_is_told_of_namespaces(self) -> None:
        key = "config.beta.linkerd.io/proxy-enable-native-sidecar"
        (one,) = (
            counting_annotation
            for counting_annotation in counting_annotations(walk("version-2.19", "edge-26.8"), None)
            if counting_annotation.annotation == key
        )
        assert (one.at, one.begins, one.since) == ("Namespace", False, "edge-26.5.2 (version-2.20)")


class TestDefaults:
    def test_a_moved_default_has_its_key_and_both_values(self) -> None:
        result = {one.key: (one.old, one.new) for one in moved_defaults(*self._sides("stable-2.14.10", "edge-26.8.3"))}
        assert result["proxyInit.iptablesMode"] == ("legacy", "nft")
        assert result["proxy.nativeSidecar"] == (None, True)
        assert "proxy.logFormat" not in result

    def test_the_version_is_no_setting(self) -> None:
        assert moved_defaults(*self._sides("version-2.20", "edge-26.8")) == []

    def _sides(self, before: str, after: str) -> Any:
        return side(before, None)[0], side(after, None)[0]


class TestUpgradedValues:
    def test_what_an_admin_has_set_stays_and_what_is_new_has_its_default(self) -> None:
        kept = merged(objects.read(default_values("stable-2.14").decode()), {"proxy": {"logLevel": "debug"}})
        upgraded, _ = side("edge-26.8", None, kept=kept)
        assert upgraded.values["proxy"]["logLevel"] == "debug"
        assert upgraded.values["proxy"]["metrics"] == {"hostnameLabels": False}
        assert upgraded.values["linkerdVersion"] == "edge-26.8.3"

    def test_images_of_the_old_version_are_of_the_new_one(self) -> None:
        kept = merged(
            objects.read(default_values("stable-2.14").decode()), {"proxy": {"image": {"version": "stable-2.14.10"}}}
        )
        upgraded, _ = side("edge-26.8", None, kept=kept)
        assert upgraded.values["proxy"]["image"]["version"] == "edge-26.8.3"
