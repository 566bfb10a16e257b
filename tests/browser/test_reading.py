"""The status page in a real Chromium: links, keyboard and renewal, as a reader uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, watched
from tests.browser.replica import Replica
from tests.e2e.waiting import until

DECISIONS = "#decisions tbody tr"


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def either(request: pytest.FixtureRequest, browser: Browser, shown: Replica) -> Iterator[Page]:
    """A tab with and without JavaScript."""
    with watched(browser, shown, java_script_enabled=request.param) as page:
        yield page


class TestLinks:
    def test_a_decision_shows_what_is_like_it_and_all_again(self, either: Page) -> None:
        either.goto("/")
        every = either.locator(DECISIONS).count()
        either.locator(DECISIONS).get_by_role("link", name="skipped").first.click()
        expect(either).to_have_url(re.compile(r"\?decision=skipped$"))
        assert set(either.locator(f"{DECISIONS} td:nth-child(5)").all_inner_texts()) == {"skipped"}
        either.get_by_role("link", name="host_network_enabled").first.click()
        expect(either).to_have_url(re.compile("decision=skipped&reason=host_network_enabled"))
        either.get_by_role("link", name="show all").first.click()
        either.get_by_role("link", name="show all").first.click()
        assert either.locator(DECISIONS).count() == every

    def test_a_namespace_opens_to_its_workloads_and_closes_again(self, either: Page) -> None:
        either.goto("/")
        either.locator("#namespace-shop").get_by_role("link").first.click()
        expect(either.get_by_role("heading", name="Workloads of shop")).to_be_visible()
        workloads = either.locator("#mesh .opened tbody th").all_inner_texts()
        assert workloads == ["Deployment/batch", "Deployment/cart", "Deployment/search"]
        either.locator("#namespace-shop").get_by_role("link").first.click()
        expect(either.get_by_role("heading", name="Workloads of shop")).to_have_count(0)

    def test_every_link_leads_somewhere(self, either: Page) -> None:
        """Pages of the manual have the section that a link names."""
        either.goto("/?namespace=shop")
        addresses = {str(link.evaluate("link => link.href")) for link in either.locator("a").all()}
        assert any("/docs/answers#" in address for address in addresses)
        for address in addresses:
            answer = either.request.get(address)
            assert answer.ok, address
            anchor = address.partition("#")[2]
            assert not anchor or f'id="{anchor}"' in answer.text(), address

    def test_numbers_are_those_of_the_json_and_of_the_cluster(self, either: Page, shown: Replica) -> None:
        either.goto("/")
        facts = either.request.get("/status.json").json()
        rows = either.locator("#mesh tbody tr[id]")
        seen = dict(zip(rows.locator("th").all_inner_texts(), rows.locator(".meshed").all_inner_texts(), strict=True))
        told = {row["name"]: f"{row['meshed']} of {row['pods']}" for row in facts["mesh"]["namespaces"]}
        assert {name: text.strip() for name, text in seen.items()} == told
        for name in ("shop", "payments"):
            pods = [body for path, body in shown.cluster.objects.items() if f"/namespaces/{name}/pods/" in path]
            meshed = sum("linkerd.io/control-plane-ns" in body["metadata"]["labels"] for body in pods)
            assert told[name] == f"{meshed} of {len(pods)}"


class TestKeyboard:
    def test_the_first_tab_offers_to_skip_to_what_is_wrong(self, tab: Page) -> None:
        tab.goto("/")
        tab.keyboard.press("Tab")
        expect(tab.get_by_role("link", name="Skip to what is wrong")).to_be_focused()
        expect(tab.get_by_role("link", name="Skip to what is wrong")).to_be_in_viewport()
        tab.keyboard.press("Enter")
        expect(tab.locator("#problems")).to_be_focused()

    def test_everything_is_reached_in_the_order_of_the_page_and_one_sees_where_one_is(self, tab: Page) -> None:
        tab.goto("/")
        wanted = tab.evaluate("""() => Array.from(document.querySelectorAll("a, button, summary, [tabindex='0']"))
            .filter((one) => one.checkVisibility()).length""")
        tops: list[float] = []
        for _ in range(wanted):
            tab.keyboard.press("Tab")
            top, outline, name = tab.evaluate("""() => {
                const one = document.activeElement, style = getComputedStyle(one);
                return [Array.from(document.querySelectorAll("*")).indexOf(one), style.outlineStyle, one.tagName];
            }""")
            assert outline == "solid", name
            tops.append(top)
        assert tops == sorted(set(tops))

    def test_enter_follows_a_link_and_opens_a_row(self, tab: Page) -> None:
        tab.goto("/")
        summary = tab.locator("#decisions summary").first
        summary.focus()
        tab.keyboard.press("Enter")
        expect(tab.locator("#decisions details").first).to_have_attribute("open", "")
        tab.locator("#namespace-shop a").focus()
        tab.keyboard.press("Enter")
        expect(tab).to_have_url(re.compile(r"\?namespace=shop$"))

    def test_a_wide_table_scrolls_by_arrow_keys(self, browser: Browser, shown: Replica) -> None:
        with watched(browser, shown, viewport={"width": NARROW, "height": 700}) as page:
            page.goto("/")
            box = page.locator("#decisions .scroll")
            box.focus()
            page.keyboard.press("ArrowRight")
            until("the scrolling", lambda: box.evaluate("box => box.scrollLeft") > 0, within=5)


class TestRenewal:
    """Every two seconds here."""

    PATH = "/?refresh=2"

    def test_a_new_decision_appears_and_focus_scroll_and_open_rows_stay(self, tab: Page, shown: Replica) -> None:
        tab.goto(self.PATH)
        tab.evaluate("window.notLoadedAgain = true")
        before = tab.locator(DECISIONS).count()
        row = tab.locator(DECISIONS).filter(has=tab.locator("details")).first
        number = row.get_attribute("id")
        row.locator("summary").click()
        link = row.get_by_role("link", name="shop")
        link.focus()
        tab.evaluate("window.scrollTo({top: 400, behavior: 'instant'})")
        top = row.evaluate("row => row.getBoundingClientRect().top")
        shown.post_samples()
        expect(tab.locator(DECISIONS)).to_have_count(before + 3)
        again = tab.locator(f"#{number}")
        expect(again.locator("details")).to_have_attribute("open", "")
        expect(again.get_by_role("link", name="shop")).to_be_focused()
        assert again.evaluate("row => row.getBoundingClientRect().top") == pytest.approx(top, abs=1)
        assert tab.evaluate("window.notLoadedAgain")

    def test_a_new_pod_is_counted(self, tab: Page, shown: Replica) -> None:
        """As soon as the last list is ten seconds old."""
        tab.goto(self.PATH)
        meshed = tab.locator("#namespace-kitchen .meshed")
        expect(meshed).to_contain_text("0 of 4")
        shown.add_pod("kitchen", "sink", "sink-6f7d8-00001", meshed=True)
        try:
            expect(meshed).to_contain_text("1 of 5", timeout=15_000)
        finally:
            shown.cluster.remove("/api/v1/namespaces/kitchen/pods/sink-6f7d8-00001")

    def test_it_can_be_paused(self, tab: Page) -> None:
        tab.goto(self.PATH)
        tab.get_by_role("button", name="Pause").click()
        expect(tab.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
        expect(tab.get_by_text("This page does not renew itself.")).to_be_visible()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.wait_for_timeout(2500)
        assert asked == []

    def test_without_javascript_the_page_is_loaded_again(self, browser: Browser, shown: Replica) -> None:
        with watched(browser, shown, java_script_enabled=False) as page:
            page.goto(self.PATH)
            before = page.locator(DECISIONS).count()
            shown.post_samples()
            expect(page.locator(DECISIONS)).to_have_count(before + 3)

    def test_a_replica_that_does_not_answer_is_told_and_the_page_goes_on_once_it_does(
        self, browser: Browser, shown: Replica
    ) -> None:
        with watched(browser, shown) as page:
            page.goto(self.PATH)
            page.evaluate("() => { window.real = fetch; window.fetch = () => Promise.reject(new TypeError('gone')) }")
            note = page.locator("#renewal [role=status]")
            expect(note).to_have_text("The replica does not answer. What you see is from the time of this page.")
            assert page.locator("h2").count() == 6
            page.evaluate("() => { window.fetch = window.real }")
            expect(note).to_have_text("This page renews itself every 2 seconds.")
