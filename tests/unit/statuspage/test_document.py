"""The facts that page and `/status.json` have."""

from datetime import timedelta

import orjson

from tests.unit.statuspage.pages import NOW, counts, facts
from webhook.diagnosis import condition
from webhook.injector.decision import INJECT
from webhook.kube.objects import Namespace
from webhook.statuspage.document import PER_PAGE
from webhook.statuspage.mesh_reader import WorkloadRows
from webhook.statuspage.sources import CertificateFact
from webhook.statuspage.workload_rows import Reason, WorkloadRow


def test_it_has_the_sections_in_the_order_of_the_page() -> None:
    assert list(facts()) == ["head", "problems", "mesh", "decisions", "traffic", "certificates", "configuration"]


def test_it_is_json() -> None:
    opened = WorkloadRows("shop", (WorkloadRow("Deployment/web", 2, 1, 0, (Reason("x", "y", 1),)),), True, "", 0.0)
    body = orjson.loads(orjson.dumps(facts(counts(), opened)))
    assert body["mesh"]["opened"]["workloads"][0]["reasons"] == [{"reason": "x", "text": "y", "pods": 1}]


def test_the_head_names_the_replica_the_leader_and_what_is_in_force() -> None:
    head = facts()["head"]
    assert (head["ready"], head["replica"], head["leader"]) == (
        True,
        "linkerd-webhook-7d9-x2v4c",
        "linkerd-webhook-7d9-abcde",
    )
    assert (head["linkerdVersion"], head["releaseLine"]["name"], head["uptimeSeconds"]) == (
        "edge-26.8.3",
        "edge-26.8",
        3725,
    )
    assert head["time"] == "2026-05-01T12:00:00Z"


def test_what_keeps_the_replica_from_being_ready_comes_first() -> None:
    body = facts(
        conditions=lambda: [
            condition.cache("the API server is away"),
            condition.serving(True),
            condition.leader("", "somebody"),
        ]
    )
    assert body["head"]["ready"] is False
    assert [(problem["severity"], problem["name"]) for problem in body["problems"]] == [
        ("error", "serving"),
        ("warning", "cache"),
    ]
    assert body["problems"][1]["docs"] == "docs/operating#the-api-server"


def test_a_trust_anchor_that_has_expired_is_a_problem() -> None:
    old = CertificateFact("trust anchor", "CN=root.linkerd.cluster.local", NOW - timedelta(days=1))
    broken = CertificateFact("trust anchor", "", None, "holds a certificate that cannot be read (number 2): ASN.1")
    good = CertificateFact("trust anchor", "CN=new", NOW + timedelta(days=1))
    messages = [problem["message"] for problem in facts(certificates=lambda: [old, broken, good])["problems"]]
    assert len(messages) == 2
    assert "CN=root.linkerd.cluster.local" in messages[0]
    assert "expired at 2026-04-30 12:00 UTC" in messages[0]
    assert "number 2" in messages[1]


def test_without_the_flag_there_is_no_mesh() -> None:
    assert facts()["mesh"] is None


def test_every_known_namespace_is_listed_with_its_annotation_and_its_counts() -> None:
    mesh = facts(counts())["mesh"]
    assert (mesh["pods"], mesh["meshed"], mesh["complete"], mesh["namespacesKnown"]) == (5, 3, True, 2)
    kitchen, shop = mesh["namespaces"]
    assert (kitchen["name"], kitchen["annotation"], kitchen["pods"]) == ("kitchen", None, 0)
    assert (shop["annotation"], shop["meshed"], shop["otherVersion"], shop["otherTrustAnchors"]) == ("enabled", 3, 1, 2)
    assert shop["notInjected"] == [
        {
            "reason": "asked_for_and_not_meshed",
            "text": "a proxy is asked for, and the Pod does not have one",
            "pods": 2,
        }
    ]


def test_many_namespaces_come_in_pages_and_the_totals_are_those_of_all() -> None:
    names = {f"ns-{number:04}": Namespace(f"ns-{number:04}", {INJECT: "enabled"}, {}) for number in range(5000)}
    mesh = facts(counts(), query="page=2", namespaces=lambda: names)["mesh"]
    assert (mesh["page"], mesh["pages"], len(mesh["namespaces"])) == (2, 26, PER_PAGE)
    assert mesh["namespaces"][0]["name"] == "ns-0200"
    assert mesh["pods"] == 5
    # Beyond the last there is the last.
    assert facts(counts(), query="page=99999", namespaces=lambda: names)["mesh"]["page"] == 26


def test_a_namespace_that_does_not_exist_is_told() -> None:
    opened = WorkloadRows("shpo", (), True, "", 0.0)
    assert facts(counts(), opened)["mesh"]["opened"]["problem"] == "Namespace shpo is not known: check its name"


def test_decisions_are_filtered_by_the_query() -> None:
    assert len(facts()["decisions"]) == len(facts(query="decision=skipped&namespace=shop")["decisions"]) == 1
    assert facts(query="decision=injected")["decisions"] == []
