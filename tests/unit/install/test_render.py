"""The objects that `install` prints: what Kubernetes takes, what they may do, and what they leave alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.unit.install.test_chart import CASES, rendered
from webhook.cli.serve import serve
from webhook.install import configurations, guard
from webhook.install.configurations import RULES
from webhook.install.objects.access import LINKERDS_MUTATING, LINKERDS_VALIDATING
from webhook.install.output import write
from webhook.install.render import render
from webhook.install.settings import defaults
from webhook.server.run import Times

NAME = "linkerd-webhook"
LINKERD = Path(__file__).parents[4] / "shared" / "linkerd"
CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
ADMISSION = "admissionregistration.k8s.io"

# The library has no older ones; whatever these had and these have not is tested by itself.
OLDEST_SCHEMAS = "1.25"

JSON = dict[str, Any]


def pod(body: dict[Any, JSON]) -> JSON:
    """The Deployment's Pod."""
    template: JSON = body["Deployment", NAME]["spec"]["template"]
    return template


def container(body: dict[Any, JSON]) -> JSON:
    """The Pod's only container."""
    (only,) = pod(body)["spec"]["containers"]
    return dict(only)


class TestKubernetes:
    """What an API server of that version takes."""

    @pytest.mark.parametrize("case", CASES)
    def test_takes_every_object_by_its_own_schema(self, case: str) -> None:
        values, version = CASES[case]
        checked = set()
        for body in rendered(values, version).values():
            if body["apiVersion"] == "monitoring.coreos.com/v1":
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kubernetes_validate.validate(body, max(version, OLDEST_SCHEMAS), strict=True)
            checked.add(body["kind"])
        assert {"Deployment", "Service", "ClusterRole"} <= checked

    def test_of_an_older_version_is_given_nothing_that_it_does_not_know(self) -> None:
        old = rendered({"autoscaling": {"enabled": True}}, "1.21")
        text = write(list(old.values()), "yaml")
        for unknown in ("matchConditions", "sleep:", "matchLabelKeys", "unhealthyPodEvictionPolicy", "AdmissionPolicy"):
            assert unknown not in text
        assert ("HorizontalPodAutoscaler", NAME) not in old
        assert old["Deployment", NAME]["spec"]["replicas"] == 2

    def test_and_what_is_left_out_is_told_with_the_version_that_has_it(self) -> None:
        left_out = render(defaults(), "linkerd", (1, 28)).left_out
        assert [element.rpartition("(")[2] for element in left_out] == ["from Kubernetes 1.30 on)"] * 2
        assert render(defaults(), "linkerd", (1, 30)).left_out == []

    def test_is_needed_only_as_new_as_what_is_rendered(self) -> None:
        assert render(defaults(), "linkerd").needs == (1, 30)
        assert render(defaults(), "linkerd", (1, 28)).needs == (1, 28)
        assert render(defaults(), "linkerd", (1, 21)).needs == (1, 21)


class TestOutput:
    """The text."""

    def test_is_the_same_bytes_each_time(self) -> None:
        first = render(defaults(), "linkerd").objects
        assert write(first, "yaml") == write(render(defaults(), "linkerd").objects, "yaml")
        assert list(yaml.safe_load_all(write(first, "yaml"))) == first

    def test_as_json_is_a_list_that_kubectl_takes(self) -> None:
        body = yaml.safe_load(write(render(defaults(), "linkerd").objects, "json"))
        assert (body["apiVersion"], body["kind"]) == ("v1", "List")
        assert body["items"] == render(defaults(), "linkerd").objects

    def test_quotes_what_go_would_read_as_a_number_or_a_boolean(self) -> None:
        text = write([{"a": "1e3", "b": "0o17", "c": "y", "d": "1_000", "e": "--flag=:1"}], "yaml")
        assert text == '---\na: "1e3"\nb: "0o17"\nc: "y"\nd: "1_000"\ne: --flag=:1\n'

    def test_is_in_an_order_in_which_each_has_what_it_needs(self) -> None:
        kinds = [body["kind"] for body in render(defaults(), "linkerd").objects]
        assert kinds[0] == "ServiceAccount"
        assert kinds.index("Deployment") < min(kinds.index(configuration) for configuration in CONFIGURATIONS)
        assert kinds.index("Service") < kinds.index("Deployment")
        assert kinds[-2:] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]

    def test_holds_no_ca_bundle_and_no_secret(self) -> None:
        text = write(render(defaults(), "linkerd").objects, "yaml")
        assert "caBundle" not in text
        assert "kind: Secret" not in text


class TestConfigurations:
    """What sends requests."""

    def test_have_rules_with_ignore_and_are_born_without_any_with_fail(self) -> None:
        for policy in ("Ignore", "Fail"):
            manifests = rendered({"failurePolicy": policy})
            for kind in CONFIGURATIONS:
                for webhook in manifests[kind, NAME]["webhooks"]:
                    assert webhook["failurePolicy"] == policy
                    assert webhook.get("rules", []) == (list(RULES[webhook["name"]]) if policy == "Ignore" else [])

    def test_are_none_of_ours_but_the_self_test_s_and_the_advisor_s_where_linkerds_are_adopted(self) -> None:
        manifests = rendered({"adopt": True})
        self_test, advisor = (CONFIGURATIONS[0], f"{NAME}-self-test"), (CONFIGURATIONS[1], configurations.ADVISOR)
        assert [key for key in manifests if key[0] in CONFIGURATIONS] == [self_test, advisor]
        assert "--adopt" in container(manifests)["args"]

    @pytest.mark.parametrize("values", [{}, {"adopt": True}, {"failurePolicy": "Fail"}, {"guard": "deny"}])
    def test_of_the_advisor_are_the_same_in_every_way_to_be_installed_and_gone_where_it_is_off(
        self, values: JSON
    ) -> None:
        key = (CONFIGURATIONS[1], configurations.ADVISOR)
        webhooks = rendered(values)[key]["webhooks"]
        assert webhooks == rendered({})[key]["webhooks"]
        assert {webhook["failurePolicy"] for webhook in webhooks} == {"Ignore"}
        assert all(webhook["rules"] for webhook in webhooks)
        assert key not in rendered({**values, "workloadAdvice": False})

    def test_of_the_advisor_spare_the_namespaces_that_the_injector_s_spare(self) -> None:
        manifests = rendered({"namespaces": {"optIn": True, "exclude": ["mine"]}})
        injector = manifests["MutatingWebhookConfiguration", NAME]["webhooks"][0]["namespaceSelector"]
        workloads, namespaces = manifests[CONFIGURATIONS[1], configurations.ADVISOR]["webhooks"]
        assert workloads["namespaceSelector"] == injector
        # Whoever annotates a Namespace that opted out has to be told as well.
        assert namespaces["namespaceSelector"] == {"matchExpressions": injector["matchExpressions"][1:]}

    def test_trust_a_given_ca_everywhere(self) -> None:
        pem = "-----BEGIN CERTIFICATE-----\n"
        manifests = rendered({"certificates": {"existingSecret": "tls", "caBundle": pem}})
        bundles = {
            webhook["clientConfig"]["caBundle"]
            for (kind, _), body in manifests.items()
            if kind in CONFIGURATIONS
            for webhook in body["webhooks"]
        }
        assert bundles == {"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="}

    def test_are_left_to_cert_manager_by_its_annotation(self) -> None:
        manifests = rendered({"certificates": {"existingSecret": "tls", "injectCAFrom": "linkerd/webhook"}})
        for (kind, _), body in manifests.items():
            if kind in CONFIGURATIONS:
                assert body["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "linkerd/webhook"}
                assert all("caBundle" not in webhook["clientConfig"] for webhook in body["webhooks"])

    def test_opt_in_turns_the_label_round_for_the_injector_and_the_guard_alone(self) -> None:
        manifests = rendered({"namespaces": {"optIn": True, "exclude": ["mine"]}})
        injector = manifests["MutatingWebhookConfiguration", NAME]["webhooks"][0]["namespaceSelector"]
        guard = manifests["ValidatingAdmissionPolicy", f"{NAME}-guard"]["spec"]["matchConstraints"]["namespaceSelector"]
        validators = manifests["ValidatingWebhookConfiguration", NAME]["webhooks"]
        assert injector == guard
        assert [expression["operator"] for expression in injector["matchExpressions"]] == ["In", "NotIn"]
        assert {"mine", "linkerd", "kube-system"} <= set(injector["matchExpressions"][1]["values"])
        for validator in validators:
            assert [one["operator"] for one in validator["namespaceSelector"]["matchExpressions"]] == ["NotIn", "NotIn"]


class TestGuard:
    """The ValidatingAdmissionPolicy."""

    @pytest.mark.parametrize(("mode", "actions"), [("warn", ["Warn", "Audit"]), ("deny", ["Deny"])])
    def test_acts_as_asked(self, mode: str, actions: list[str]) -> None:
        binding = rendered({"guard": mode})["ValidatingAdmissionPolicyBinding", f"{NAME}-guard"]
        assert binding["spec"]["validationActions"] == actions

    def test_refuses_only_once_the_server_is_reached_and_warns_until_then(self) -> None:
        manifests = rendered({"guard": "deny"})
        policy = manifests["ValidatingAdmissionPolicy", f"{NAME}-guard"]["spec"]
        refusing = manifests["ValidatingAdmissionPolicyBinding", f"{NAME}-guard"]["spec"]
        waiting = manifests["ValidatingAdmissionPolicyBinding", f"{NAME}-guard-waiting"]["spec"]
        assert policy["paramKind"]["kind"] == "MutatingWebhookConfiguration"
        assert refusing["paramRef"] == guard.once_reached()
        assert (waiting["validationActions"], waiting["paramRef"]) == (["Warn", "Audit"], guard.until_reached())

    def test_that_only_warns_hangs_on_nothing(self) -> None:
        manifests = rendered({"guard": "warn"})
        assert "paramRef" not in manifests["ValidatingAdmissionPolicyBinding", f"{NAME}-guard"]["spec"]
        assert "paramKind" not in manifests["ValidatingAdmissionPolicy", f"{NAME}-guard"]["spec"]
        assert ("ValidatingAdmissionPolicyBinding", f"{NAME}-guard-waiting") not in manifests

    def test_hangs_on_the_self_test_s_configuration_alone_and_no_manifest_marks_it(self) -> None:
        for (_, name), body in rendered({"guard": "deny"}).items():
            labels = body["metadata"]["labels"]
            is_it = (body["kind"], name) == ("MutatingWebhookConfiguration", f"{NAME}-self-test")
            assert (configurations.SELF_TEST_LABELS.items() <= labels.items()) == is_it
            assert configurations.REACHED_LABEL not in labels

    def test_is_not_there_where_it_is_off(self) -> None:
        assert not [kind for kind, _ in rendered({"guard": "off"}) if kind.startswith("ValidatingAdmissionPolicy")]

    def test_looks_for_a_token_only_where_the_mesh_projects_none(self) -> None:
        def names(values: JSON) -> list[str]:
            policy = rendered(values)["ValidatingAdmissionPolicy", f"{NAME}-guard"]
            return [condition["name"] for condition in policy["spec"]["matchConditions"]]

        assert "has-token" not in names({})
        assert "has-token" in names({"tokenProjection": False})


class TestRights:
    """What RBAC grants."""

    def rules(self, values: JSON, kind: str = "ClusterRole") -> list[JSON]:
        """A role's rules."""
        return list(rendered(values)[kind, NAME]["rules"])

    def test_everywhere_writes_only_events_and_configurations_by_name(self) -> None:
        for values in ({}, {"adopt": True}):
            for rule in self.rules(values):
                if {"update", "delete", "patch", "create", "*"} & set(rule["verbs"]) and rule["resources"] != [
                    "events"
                ]:
                    assert rule["apiGroups"] == [ADMISSION]
                    assert rule["verbs"] == ["update"]
                    assert rule["resourceNames"]

    def test_updates_ours_or_linkerds_configurations_never_both(self) -> None:
        def names(values: JSON) -> list[str]:
            return sorted(name for rule in self.rules(values) for name in rule.get("resourceNames", ()))

        assert names({"workloadAdvice": False}) == [NAME, NAME, f"{NAME}-self-test"]
        assert names({}) == [NAME, NAME, f"{NAME}-self-test", configurations.ADVISOR]
        of_linkerd = [*LINKERDS_MUTATING, *LINKERDS_VALIDATING]
        assert names({"adopt": True}) == sorted([*of_linkerd, f"{NAME}-self-test", configurations.ADVISOR])
        assert names({"adopt": True, "workloadAdvice": False}) == sorted([*of_linkerd, f"{NAME}-self-test"])

    def test_covers_what_the_example_grants(self) -> None:
        example = Path(__file__).parents[3] / "deploy" / "rbac.yaml"
        wanted = next(body for body in yaml.safe_load_all(example.read_text()) if body["kind"] == "ClusterRole")
        granted = self.rules({})
        assert [rule for rule in wanted["rules"] if rule not in granted] == []

    def test_of_secrets_are_two_by_name_and_none_where_somebody_else_keeps_the_certificate(self) -> None:
        secrets = [rule for rule in self.rules({}, "Role") if rule["resources"] == ["secrets"]]
        assert [rule.get("resourceNames") for rule in secrets] == [None, [f"{NAME}-ca", f"{NAME}-tls"]]
        assert secrets[0]["verbs"] == ["create"]
        kept = self.rules({"certificates": {"existingSecret": "tls"}}, "Role")
        assert not [rule for rule in kept if "secrets" in rule["resources"]]

    def test_are_never_a_star(self) -> None:
        for kind in ("ClusterRole", "Role"):
            assert "*" not in str(self.rules({}, kind))


class TestDeployment:
    """How it runs."""

    def test_runs_with_flags_that_serve_takes(self) -> None:
        known = {flag for option in serve.params for flag in option.opts}
        for values, version in CASES.values():
            command, *flags = container(rendered({**values, "extraArgs": []}, version))["args"]
            assert command == "serve"
            assert {flag.partition("=")[0] for flag in flags} <= known

    def test_may_nothing_that_it_need_not(self) -> None:
        security = container(rendered({}))["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] == 2103 and security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"] and not security["privileged"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}

    @pytest.mark.parametrize("version", ["1.21", "1.36"])
    def test_has_time_to_drain(self, version: str) -> None:
        manifests = rendered({}, version)
        delay = next(
            (float(arg.partition("=")[2]) for arg in container(manifests)["args"] if "shutdown-delay" in arg), 3
        )
        hook = container(manifests).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert delay + hook >= 8
        assert delay < Times().grace
        assert pod(manifests)["spec"]["terminationGracePeriodSeconds"] > hook + Times().grace + 1

    def test_mounts_what_serve_reads_where_it_looks(self) -> None:
        looked_for = {option.name: str(option.default) for option in serve.params}
        mounts = [
            mount["mountPath"]
            for mount in container(rendered({"certificates": {"existingSecret": "x"}}))["volumeMounts"]
        ]
        for name in ("values", "trust_anchors"):
            assert str(Path(looked_for[name]).parent) in mounts
        assert looked_for["tls_dir"] in mounts

    def test_mounts_no_secret_where_the_server_keeps_its_own(self) -> None:
        assert "secret" not in str(pod(rendered({}))["spec"]["volumes"])

    @pytest.mark.parametrize(
        ("image", "wanted"),
        [
            ({}, "a/b:0.1.0"),
            ({"tag": "x"}, "a/b:x"),
            ({"digest": "sha256:1"}, "a/b@sha256:1"),
            ({"tag": "x", "digest": "sha256:1"}, "a/b:x@sha256:1"),
        ],
    )
    def test_has_the_image_by_tag_and_digest(self, image: JSON, wanted: str) -> None:
        assert container(rendered({"image": {"repository": "a/b", **image}}))["image"] == wanted

    def test_keeps_its_own_labels_and_annotations_whatever_is_added(self) -> None:
        more = {
            "podLabels": {"app.kubernetes.io/name": "x", "a": "b"},
            "podAnnotations": {"linkerd.io/inject": "enabled"},
        }
        metadata = pod(rendered(more))["metadata"]
        assert metadata["labels"]["app.kubernetes.io/name"] == NAME
        assert metadata["labels"]["a"] == "b"
        assert metadata["annotations"] == {"linkerd.io/inject": "disabled"}

    def test_on_the_nodes_network_finds_names_and_can_be_rolled(self) -> None:
        manifests = rendered({"hostNetwork": True})
        assert pod(manifests)["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet"
        assert manifests["Deployment", NAME]["spec"]["strategy"]["rollingUpdate"] == {
            "maxUnavailable": 1,
            "maxSurge": 0,
        }

    def test_has_no_replicas_where_they_are_scaled(self) -> None:
        manifests = rendered({"autoscaling": {"enabled": True}, "replicas": 3})
        assert "replicas" not in manifests["Deployment", NAME]["spec"]
        assert manifests["HorizontalPodAutoscaler", NAME]["spec"]["minReplicas"] == 3

    def test_spreads_strictly_only_past_nodes_that_it_may_run_on(self) -> None:
        strict = {"spread": {"nodes": "DoNotSchedule"}}
        new, old = (
            pod(rendered(strict, element))["spec"]["topologySpreadConstraints"][1] for element in ("1.26", "1.25")
        )
        assert (new["whenUnsatisfiable"], new["nodeTaintsPolicy"]) == ("DoNotSchedule", "Honor")
        assert (old["whenUnsatisfiable"], "nodeTaintsPolicy" in old) == ("ScheduleAnyway", False)

    def test_has_a_disruption_budget_with_more_than_one_replica(self) -> None:
        assert ("PodDisruptionBudget", NAME) in rendered({"replicas": 2})
        assert ("PodDisruptionBudget", NAME) not in rendered({"replicas": 1})


class TestSelectors:
    """Who finds whose Pods."""

    def test_of_ours_find_our_pods(self) -> None:
        manifests = rendered(CASES["every option"][0])
        labels = pod(manifests)["metadata"]["labels"].items()
        for kind, path in (
            ("Service", ()),
            ("Deployment", ("matchLabels",)),
            ("PodDisruptionBudget", ("matchLabels",)),
        ):
            selector = manifests[kind, NAME]["spec"]["selector"]
            for key in path:
                selector = selector[key]
            assert selector.items() <= labels

    @pytest.mark.parametrize("line", ["edge-26.8", "stable-2.12"])
    def test_of_linkerds_services_do_not_nor_ours_linkerds(self, line: str) -> None:
        manifest = LINKERD / line / "control-plane.yaml"
        if not manifest.exists():
            pytest.skip(f"Linkerd's rendered manifests are not there: {manifest.parent.name}")
        objects = [body for body in yaml.safe_load_all(manifest.read_text()) if body]
        ours = rendered({})
        labels = pod(ours)["metadata"]["labels"].items()
        services = [body["spec"]["selector"] for body in objects if body["kind"] == "Service"]
        pods = [body["spec"]["template"]["metadata"]["labels"] for body in objects if body["kind"] == "Deployment"]
        assert services and pods
        assert not [selector for selector in services if selector.items() <= labels]
        selector = ours["Service", NAME]["spec"]["selector"].items()
        assert not [pod for pod in pods if selector <= pod.items()]
