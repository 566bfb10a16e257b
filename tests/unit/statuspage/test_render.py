"""The page for people."""

import re
from datetime import timedelta

import pytest

from tests.unit.statuspage.pages import HOSTILE, NOW, counts, page
from webhook.diagnosis import condition
from webhook.kube.objects import Namespace
from webhook.statuspage import render
from webhook.statuspage.decisions import Decision, DecisionLog
from webhook.statuspage.mesh_counts import NamespaceCount
from webhook.statuspage.mesh_reader import WorkloadRows
from webhook.statuspage.render import duration, left, milliseconds
from webhook.statuspage.sources import CertificateFact, FileFact
from webhook.statuspage.workload_rows import Reason, WorkloadRow

SECTIONS = ["What is wrong", "Mesh", "Last decisions", "Traffic", "Certificates and trust", "Configuration"]


def test_the_sections_stand_in_their_order() -> None:
    assert re.findall(r"<h2[^>]*>([^<]+)", page(counts())) == SECTIONS
    assert re.findall(r"<h2[^>]*>([^<]+)", page()) == [name for name in SECTIONS if name != "Mesh"]


def test_ready_is_a_word() -> None:
    assert ">Ready<" in page()
    assert ">Not ready<" in page(conditions=lambda: [condition.serving(True)])


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    """The Content-Security-Policy would keep it out."""
    text = page(counts(), query="refresh=10")
    assert not re.findall(r'(?:src|href)="(?:[a-z]+:)?//', text)
    assert not re.findall(r"<style|<script(?! src)| style=| on[a-z]+=", text)


def test_a_browser_without_javascript_loads_it_again_if_it_is_asked_to() -> None:
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page(query="refresh=10")
    assert "http-equiv" not in page()


def test_meshed_is_told_as_text_and_bar() -> None:
    text = page(counts())
    assert "3 of 5" in text
    assert '<meter min="0" max="5" value="3" aria-label="60 % of shop meshed">' in text


def test_what_is_not_complete_says_at_least_and_why() -> None:
    text = page(counts(complete=False, problem="the API server did not list all Pods within 10 s"))
    assert "At least 3 of 5 running Pods" in text
    assert "did not list all Pods within 10 s" in text
    assert "still being counted" in page(counts(complete=False))


def test_a_namespace_opens_to_its_workloads_with_reasons_that_the_manual_explains() -> None:
    reason = Reason("host_network_enabled", "hostNetwork is enabled", 2)
    opened = WorkloadRows("shop", (WorkloadRow("DaemonSet/agent", 2, 0, 0, (reason,)),), True, "", 0.0)
    text = page(counts(), opened, "namespace=shop")
    assert "Workloads of shop" in text
    assert '2 × <a href="docs/answers#host_network_enabled">host_network_enabled</a>: hostNetwork is enabled' in text


@pytest.mark.parametrize(
    "text",
    [
        page(
            counts(namespaces={HOSTILE: NamespaceCount(pods=1)}),
            WorkloadRows(HOSTILE, (WorkloadRow(HOSTILE, 1, 0, 0, (Reason(HOSTILE, HOSTILE, 1),)),), False, HOSTILE, 0),
            f"namespace={HOSTILE}&webhook={HOSTILE}&decision={HOSTILE}&reason={HOSTILE}",
            replica=HOSTILE,
            leader=lambda: HOSTILE,
            conditions=lambda: [condition.cache(HOSTILE)],
            linkerd_version=lambda: HOSTILE,
            cache=lambda: HOSTILE,
            flags={HOSTILE: HOSTILE},
            files=lambda: [FileFact(HOSTILE, HOSTILE, 0, HOSTILE)],
            certificates=lambda: [CertificateFact(HOSTILE, HOSTILE, None, HOSTILE)],
            namespaces=lambda: {HOSTILE: Namespace(HOSTILE, {"linkerd.io/inject": HOSTILE}, {})},
        )
    ],
)
def test_no_value_becomes_markup(text: str) -> None:
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") > 15


def test_no_decision_becomes_markup() -> None:
    log = DecisionLog()
    log.add(Decision(0, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, [HOSTILE], HOSTILE))
    text = page(decisions=log)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") >= 7


def test_decisions_are_filtered_by_links() -> None:
    text = page(query="namespace=shop")
    assert 'href="?namespace=shop&amp;decision=skipped"' in text
    assert 'namespace shop (<a href="?">show all</a>)' in text
    assert "None yet like these." in page(query="decision=injected")


def test_a_row_that_is_remembered_says_what_it_says_now() -> None:
    """Its links keep the filters of the page that it is on, and its numbers are those of the last count."""
    assert 'href="?namespace=shop&amp;decision=skipped"' in page(query="namespace=shop")
    assert 'href="?decision=skipped"' in page()
    assert "3 of 5" in page(counts())
    assert "≥ 3 of 5" in page(counts(complete=False))
    assert "4 of 5" in page(counts(namespaces={"shop": NamespaceCount(pods=5, meshed=4)}))


def test_decisions_that_are_alike_differ_in_number_and_warnings() -> None:
    log = DecisionLog()
    for warnings in (["one"], [], ["two", "three"]):
        log.add(Decision(0, "proxy-injector", "shop", "Deployment/web", "injected", "", warnings))
    text = page(decisions=log)
    assert re.findall(r'id="(?:decision|warnings)-(\d)"', text) == ["3", "3", "2", "1", "1"]
    assert re.findall(r"<li>(\w+)</li>", text) == ["two", "three", "one"]


def test_what_is_not_well_is_told_with_a_link_to_the_manual() -> None:
    text = page(conditions=lambda: [condition.cache("the API server is away")])
    assert "the API server is away" in text
    assert '<a href="docs/operating#the-api-server">More about cache</a>' in text
    assert "Nothing: all conditions hold." in page()


def test_a_page_of_the_manual_has_its_headings_as_anchors() -> None:
    text = render.manual_page("operating")
    assert text is not None
    assert '<h2 id="the-api-server">' in text
    assert render.manual_page("none-such") is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (3725, "1 h 2 min"), (90_061, "1 d 1 h"), (86_400, "1 d")]
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_latencies_and_ends_are_in_units_that_people_read() -> None:
    assert [milliseconds(value) for value in (None, 0.00012, 0.25)] == ["–", "0.12 ms", "250 ms"]
    assert left(f"{NOW + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}", NOW) == "2 d"
    assert left(f"{NOW - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}", NOW) == "expired"
    assert left(None, NOW) == "–"


@pytest.mark.parametrize("clock", [0.0, 1.0, 1_000_000_000.0, 4_000_000_000.0, 100_000_000_000.0])
def test_whatever_the_clock_says_there_is_a_page(clock: float) -> None:
    """It may jump by years, while the counts are of before."""
    text = page(counts(), clock=lambda: clock)
    assert "Last decisions" in text
    assert ("expired" in text) is (clock > NOW.timestamp())
