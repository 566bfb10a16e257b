"""What `install` prints, applied to a real API server: the first minutes, and the hands of others afterwards."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from certs.bundle import salvage
from certs.issue import issue_ca
from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import NAME, NAMESPACE, STORED, Installation, command, configuration
from tests.e2e.mesh import LINES, Manifests, installed
from tests.e2e.objects import ENABLED, Room, bare, meshed
from tests.e2e.waiting import until
from webhook.install.validatedkinds import WRITTEN_FOR
from webhook.mesh.defaults import default_values

MUTATING, VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
LINKERDS = (
    (MUTATING, "linkerd-proxy-injector-webhook-config"),
    (VALIDATING, "linkerd-policy-validator-webhook-config"),
    (VALIDATING, "linkerd-sp-validator-webhook-config"),
)


@pytest.mark.usefixtures("linkerd")
class TestTheFirstApply:
    @pytest.mark.parametrize("policy", ["Fail", "Ignore"])
    def test_pods_are_created_before_anybody_answers_and_meshed_as_soon_as_somebody_does(
        self, api: ApiServer, newest: Manifests, tmp_path: Path, policy: str
    ) -> None:
        with Installation(api, newest, tmp_path, [f"--failure-policy={policy}", "--guard=off"]) as ours:
            room = Room.create(api, "early", ENABLED)
            assert bare(room.pod().ok()), "nobody answers yet"
            ours.start(2)
            until("configurations in force", ours.in_force, within=30)
            assert meshed(until("a meshed Pod", lambda: _meshed(room), within=10))
            assert ours.get(MUTATING, NAME)["webhooks"][0]["failurePolicy"] == policy

    def test_applying_it_again_takes_nothing_back(self, api: ApiServer, newest: Manifests, tmp_path: Path) -> None:
        with Installation(api, newest, tmp_path, ["--failure-policy=Fail"]) as ours:
            ours.start()
            until("configurations in force", ours.in_force, within=30)
            ours.apply()
            assert ours.in_force()
            before = [api.request("GET", path).ok()["metadata"]["uid"] for path in STORED]
            assert before == [api.request("GET", path).ok()["metadata"]["uid"] for path in STORED]


@pytest.mark.usefixtures("linkerd")
class TestAnUpgradeOfLinkerd:
    """Rules that were written for the release that ran when this program was installed."""

    OLD, NEW = "version-2.16", "version-2.17"

    @pytest.fixture(params=["Ignore", "Fail"])
    def ours(
        self, request: pytest.FixtureRequest, api: ApiServer, newest: Manifests, tmp_path: Path
    ) -> Iterator[Installation]:
        """A replica in force beside the older release."""
        flags = [f"--failure-policy={request.param}", f"--release-line={self.OLD}"]
        with Installation(api, newest, tmp_path, flags) as installation:
            installation.change(values=default_values(self.OLD).decode())
            installation.start()
            until("configurations in force", installation.in_force, within=30)
            yield installation

    def test_adds_the_kinds_that_came_with_it(self, ours: Installation) -> None:
        assert "grpcroutes" in _sent(ours)
        assert not {"egressnetworks", "tlsroutes"} & _sent(ours)
        ours.change(values=default_values(self.NEW).decode())
        until("rules for the new kinds", lambda: {"egressnetworks", "tlsroutes"} <= _sent(ours), within=30)
        assert ours.get(VALIDATING, NAME)["metadata"]["annotations"][WRITTEN_FOR] == self.NEW
        assert _validated(ours)["ok"]

    def test_leaves_alone_what_somebody_has_changed_and_names_what_is_not_checked(
        self, ours: Installation, api: ApiServer
    ) -> None:
        body = ours.get(VALIDATING, NAME)
        body["webhooks"][0]["rules"][0]["resources"].remove("servers")
        _put(api, body)
        before = _sent(ours)
        ours.change(values=default_values(self.NEW).decode())
        until("the condition", lambda: not _validated(ours)["ok"], within=30)
        assert "EgressNetwork.policy.linkerd.io" in _validated(ours)["message"]
        until("the log", lambda: "somebody has changed the rules" in ours.leader().log, within=10)
        assert _sent(ours) == before
        assert ours.replicas[0].ready()[0] == 200


def _sent(ours: Installation) -> set[str]:
    """The resources that the policy validator's rules name."""
    rules = ours.get(VALIDATING, NAME)["webhooks"][0]["rules"]
    return {resource for rule in rules for resource in rule["resources"]}


def _validated(ours: Installation) -> JSON:
    """The condition about them."""
    return ours.replicas[0].condition("validated kinds")


@pytest.mark.usefixtures("linkerd")
class TestOtherHands:
    @pytest.fixture
    def ours(self, api: ApiServer, newest: Manifests, tmp_path: Path) -> Iterator[Installation]:
        """Two replicas in force."""
        with Installation(api, newest, tmp_path, ["--failure-policy=Fail"]) as installation:
            installation.start(2)
            until("configurations in force", installation.in_force, within=30)
            yield installation

    def test_an_overwritten_ca_bundle_is_put_back_and_whoever_wrote_it_is_named(
        self, ours: Installation, api: ApiServer
    ) -> None:
        body = ours.get(MUTATING, NAME)
        right = body["webhooks"][0]["clientConfig"]["caBundle"]
        _overwrite(api, body, base64.b64encode(issue_ca("somebody").certificate).decode())
        until("our CA again", lambda: _holds(ours.get(MUTATING, NAME), right), within=10)
        leader = ours.leader()
        assert leader.metric("linkerd_webhook_ca_bundle_restored_total", configuration=NAME) == 1
        until("the log", lambda: "webhook-e2e" in leader.log or "somebody-else" in leader.log, within=5)

    def test_what_a_provider_adds_to_a_selector_stays(self, ours: Installation, api: ApiServer) -> None:
        body = ours.get(MUTATING, NAME)
        added = {"key": "control-plane", "operator": "DoesNotExist"}
        body["webhooks"][0]["namespaceSelector"]["matchExpressions"].append(added)
        body["webhooks"][0]["clientConfig"]["caBundle"] = ""
        _put(api, body)
        until("our CA again", lambda: ours.in_force(), within=10)
        assert added in ours.get(MUTATING, NAME)["webhooks"][0]["namespaceSelector"]["matchExpressions"]

    def test_a_deleted_secret_is_made_anew_and_no_pod_is_lost(self, ours: Installation, api: ApiServer) -> None:
        room = Room.create(api, "deleted", ENABLED)
        for path in STORED[:2]:
            assert api.request("DELETE", path).status == 200
        for path in STORED[:2]:
            until("the Secret", lambda path=path: api.request("GET", path).status == 200, within=75)  # type: ignore[misc]
            assert meshed(room.pod(dry_run=True).ok())

    @pytest.mark.parametrize("what", ["--leaf", "--ca"])
    def test_certificates_are_rotated_by_a_command_that_follows_to_the_end(
        self, ours: Installation, kubeconfig: Path, what: str
    ) -> None:
        before = {replica.served().serial_number for replica in ours.replicas}
        command("certs", "rotate", what, "--direct", f"--kubeconfig={kubeconfig}")
        assert not before & {replica.served().serial_number for replica in ours.replicas}
        command("certs", "inspect", "--direct", f"--kubeconfig={kubeconfig}")

    def test_a_stranger_s_configuration_is_told_and_keeps_nobody_from_being_ready(
        self, ours: Installation, api: ApiServer
    ) -> None:
        replica = ours.replicas[0]
        foreign = configuration(MUTATING, "somebody-elses")
        client = {
            "service": {"namespace": NAMESPACE, "name": NAME, "path": "/proxy-injector", "port": 443},
            "caBundle": base64.b64encode(issue_ca("somebody").certificate).decode(),
        }
        foreign["webhooks"] = [
            {
                "name": "somebody.example.org",
                "admissionReviewVersions": ["v1"],
                "clientConfig": client,
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "rules": [],
            }
        ]
        api.create(foreign).ok()
        try:
            until("the notice", lambda: not replica.condition("caBundles")["ok"], within=10)
            assert "somebody-elses" in replica.condition("caBundles")["message"]
            assert replica.ready()[0] == 200
        finally:
            api.delete(foreign)
        until("no notice", lambda: replica.condition("caBundles")["ok"], within=10)


class TestAdoption:
    @pytest.fixture(params=LINES)
    def manifests(self, request: pytest.FixtureRequest, manifests_folder: Path, kubeconfig: Path) -> Manifests:
        """Each line's: their configurations differ."""
        return Manifests(request.param, manifests_folder)

    @pytest.fixture
    def taken(self, api: ApiServer, manifests: Manifests, tmp_path: Path) -> Iterator[Installation]:
        """Linkerd with its configurations, and this program installed over it."""
        with installed(api, manifests, tmp_path / "linkerd"):
            before = {name: manifests.one(*name) for name in LINKERDS}
            for body in before.values():
                api.apply(body)
            with Installation(api, manifests, tmp_path, ["--adopt", "--guard=off"]) as installation:
                installation.start(2)
                yield installation

    def test_it_goes_there_again_after_an_upgrade_and_back(
        self, taken: Installation, api: ApiServer, manifests: Manifests, kubeconfig: Path
    ) -> None:
        until("the adoption", lambda: all(_points_here(taken.get(*name)) for name in LINKERDS), within=30)
        room = Room.create(api, "adopted", ENABLED)
        assert meshed(until("a meshed Pod", lambda: _meshed(room), within=10))
        for name in LINKERDS:
            assert _linkerds_cas(manifests.one(*name)) <= _cas(taken.get(*name)), "linkerd check goes by these"
        service = api.request("GET", f"/api/v1/namespaces/{NAMESPACE}/services/linkerd-proxy-injector").ok()
        assert service["spec"]["selector"] == {"linkerd.io/control-plane-component": "proxy-injector"}

        for name in LINKERDS:
            api.apply(manifests.one(*name))
        leader = taken.leader()
        until("its notice of the upgrade", lambda: not leader.condition("adoption")["ok"], within=10)
        until("the log", lambda: "linkerd-webhook install --adopt --again" in leader.log, within=15)
        assert leader.metric("linkerd_webhook_adoption_overwritten") == len(LINKERDS)
        assert leader.ready()[0] == 200
        assert not any(_points_here(taken.get(*name)) for name in LINKERDS), "what was written on purpose is left"

        command("install", "--adopt", "--again", f"--kubeconfig={kubeconfig}")
        until("the adoption", lambda: all(_points_here(taken.get(*name)) for name in LINKERDS), within=30)

        # Other tests leave meshed Pods behind, and Linkerd's own injector does not run here.
        command("uninstall", "--delete", "--force", f"--kubeconfig={kubeconfig}")
        for name in LINKERDS:
            body, before = taken.get(*name), manifests.one(*name)
            clients = [webhook["clientConfig"] for webhook in body["webhooks"]]
            wanted = [webhook["clientConfig"] for webhook in before["webhooks"]]
            for client in (*clients, *wanted):
                client["service"].setdefault("port", 443)
            assert clients == wanted
            assert not any("linkerd-webhook" in key for key in body["metadata"].get("annotations", {}))
        assert [api.request("GET", path).status for path in STORED] == [404, 404, 404]


def _meshed(room: Room) -> JSON | None:
    reply = room.pod(dry_run=True)
    return reply.body if reply.status == 201 and meshed(reply.body) else None


def _points_here(body: Any) -> bool:
    return all(webhook["clientConfig"]["service"]["name"] == NAME for webhook in body["webhooks"])


def _holds(body: JSON, bundle: str) -> bool:
    held = base64.b64decode(body["webhooks"][0]["clientConfig"].get("caBundle") or "")
    return base64.b64decode(bundle).strip() in held


def _overwrite(api: ApiServer, body: JSON, bundle: str) -> None:
    body["webhooks"][0]["clientConfig"]["caBundle"] = bundle
    _put(api, body)


def _put(api: ApiServer, body: JSON) -> None:
    api.request("PUT", api.path(body), body, {"fieldManager": "somebody-else"}).ok()


def _cas(body: JSON) -> set[x509.Certificate]:
    """The CAs in the caBundles of a configuration."""
    texts = [webhook["clientConfig"]["caBundle"] for webhook in body["webhooks"]]
    return {ca for text in texts for ca in salvage(base64.b64decode(text))[0]}


def _linkerds_cas(body: JSON) -> set[x509.Certificate]:
    """Those of one of Linkerd's that are valid now."""
    now = datetime.now(UTC)
    return {ca for ca in _cas(body) if ca.not_valid_before_utc <= now < ca.not_valid_after_utc}


class TestTheReleaseLine:
    @pytest.mark.parametrize("line", LINES)
    def test_of_the_cluster_decides_which_kinds_the_rules_name(
        self, line: str, api: ApiServer, manifests_folder: Path, kubeconfig: Path, tmp_path: Path
    ) -> None:
        for body in yaml.safe_load_all((manifests_folder / "edge-26.8" / "crds.yaml").read_text()):
            if body:
                api.apply(body)
        with installed(api, Manifests(line, manifests_folder), tmp_path / "linkerd"):
            printed = command("install", "--image=registry.example.org/linkerd-webhook", f"--kubeconfig={kubeconfig}")
        bodies = [body for body in yaml.safe_load_all(printed) if body["metadata"].get("annotations")]
        [body] = [body for body in bodies if WRITTEN_FOR in body["metadata"]["annotations"]]
        assert body["metadata"]["annotations"][WRITTEN_FOR] == line
        assert len(body["webhooks"][0]["rules"]) == (1 if line == "stable-2.12" else 2)
