"""The status page in a real Chromium: what is on it, how it is laid out, and that everybody can use it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import HEIGHT, NARROW, WIDE, opened, watched
from tests.browser.replica import Replica
from webhook.kube.errors import ApiError

SECTIONS = ["What is wrong", "Mesh", "Last decisions", "Traffic", "Certificates and trust", "Configuration"]
HEAD = ["This replica", "Leader", "Version", "Linkerd", "Release line", "Cluster", "Running for", "Time of this page"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class View(NamedTuple):
    """A tab, and what its reader has."""

    page: Page
    width: int
    scheme: str
    script: bool


@pytest.fixture(
    params=itertools.product((NARROW, WIDE), ("light", "dark"), (True, False)),
    ids=lambda view: f"{view[0]} px, {view[1]}, {'with' if view[2] else 'without'} JavaScript",
)
def view(request: pytest.FixtureRequest, browser: Browser, shown: Replica) -> Iterator[View]:
    """A reader of each kind."""
    width, scheme, script = request.param
    viewport = {"width": width, "height": HEIGHT}
    with watched(browser, shown, viewport=viewport, color_scheme=scheme, java_script_enabled=script) as page:
        yield View(page, width, scheme, script)


def violations(page: Page) -> list[Any]:
    """What axe finds, with all rows open."""
    for details in page.locator("details").all():
        details.evaluate("row => { row.open = true }")
    violated = Axe().run(page, options=RULES).response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violated]


class TestEveryReader:
    def test_sees_the_sections_in_their_order(self, view: View) -> None:
        view.page.goto("/")
        assert view.page.locator("h1").inner_text().split() == ["linkerd-webhook", "Ready"]
        assert view.page.locator("h2").all_inner_texts() == SECTIONS
        assert view.page.locator("header dt").all_inner_texts() == HEAD

    @pytest.mark.parametrize("path", ["/", "/?namespace=shop", "/docs/operating"])
    def test_need_not_scroll_sideways(self, view: View, path: str) -> None:
        view.page.goto(path)
        # Playwright evaluates this even where the page itself may run nothing.
        assert view.page.evaluate("document.documentElement.scrollWidth") <= view.width

    def test_has_the_colours_of_their_scheme(self, view: View) -> None:
        view.page.goto("/")
        back = view.page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        brightness = sum(int(part) for part in back.removeprefix("rgb(").removesuffix(")").split(",")) / 3
        assert brightness > 200 if view.scheme == "light" else brightness < 60

    def test_is_told_how_the_page_renews_itself(self, view: View) -> None:
        view.page.goto("/")
        by_itself = view.page.get_by_text("This page renews itself every 10 seconds.")
        by_link = view.page.get_by_role("link", name="Load this page again every 10 seconds")
        expect(by_itself).to_be_visible(visible=view.script)
        expect(by_link).to_be_visible(visible=not view.script)


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?namespace=shop", "/?decision=injected&refresh=10", "/docs/operating"])
def test_axe_finds_nothing(browser: Browser, shown: Replica, width: int, scheme: str, path: str) -> None:
    viewport = {"width": width, "height": HEIGHT}
    # The test puts axe into the page, which the page's own policy rightly forbids.
    with watched(browser, shown, viewport=viewport, color_scheme=scheme, bypass_csp=True) as page:
        page.goto(path)
        assert violations(page) == []


def test_axe_finds_nothing_where_something_is_wrong(browser: Browser, shown: Replica) -> None:
    """Warnings have colours of their own, in both schemes."""
    for scheme in ("light", "dark"):
        with watched(browser, shown, color_scheme=scheme, bypass_csp=True) as page:
            page.goto("/")
            page.evaluate("""() => {
                document.querySelector("#problems p").outerHTML = `<ul class="problems">
                    <li class="error"><strong>Error: cache</strong> stale <a href="docs/operating">More</a></li>
                    <li class="warning"><strong>Warning: leader</strong> none <a href="docs/operating">More</a></li>
                    </ul>`;
                document.querySelector(".state").className = "state bad";
                document.getElementById("renewal").className = "stale";
            }""")
            assert violations(page) == []


def test_the_section_says_which_right_is_missing(browser: Browser, shown: Replica) -> None:
    forbidden = ApiError(403, 'pods is forbidden: User "system:serviceaccount:linkerd:linkerd-webhook" cannot list')
    shown.cluster.failures["/api/v1/namespaces/kitchen/pods"] = forbidden
    try:
        with watched(browser, shown) as page:
            page.goto("/?namespace=kitchen")
            expect(page.locator("#mesh [role=status]")).to_contain_text("list on pods")
            assert page.locator("h2").all_inner_texts() == SECTIONS
    finally:
        del shown.cluster.failures["/api/v1/namespaces/kitchen/pods"]


def test_the_policy_of_the_page_is_in_force(browser: Browser, shown: Replica) -> None:
    with opened(browser, shown) as context:
        page = context.new_page()
        page.goto("/")
        blocked = page.evaluate("""async () => {
            const seen = [];
            document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.smuggled = true";
            document.body.append(script);
            document.body.setAttribute("style", "color: red");
            await fetch("https://example.org/").catch(() => null);
            await new Promise((resolve) => setTimeout(resolve, 50));
            return [window.smuggled === true, seen.sort()];
        }""")
        assert blocked == [False, ["connect-src", "script-src-elem", "style-src-attr"]]
