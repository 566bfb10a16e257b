// Loads the page again every few seconds and puts what has changed in its place: sections stay, and with them the focus,
// the scroll position and the rows that are open.
"use strict";

const seconds = Number(document.currentScript.dataset.refresh) || 10;
let loading = false;

function openRows() {
  return new Set(Array.from(document.querySelectorAll("details[open]"), (row) => row.id));
}

// What has the focus, in a form that holds for the new page: an id, or a link by its place among those with its address.
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  if (element.id) return () => document.getElementById(element.id);
  const selector = element.tagName === "SUMMARY" && element.parentElement.id
    ? `#${CSS.escape(element.parentElement.id)} > summary`
    : element.hasAttribute("href") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]`
    : element.closest("section") ? `#${CSS.escape(element.closest("section").id)} .scroll` : "";
  if (!selector) return null;
  const place = Array.from(document.querySelectorAll(selector)).indexOf(element);
  return () => document.querySelectorAll(selector)[place];
}

function replace(next) {
  const open = openRows(), focus = focused();
  const scrolled = new Map(Array.from(document.querySelectorAll("section"), (section) => {
    const box = section.querySelector(".scroll");
    return [section.id, box ? box.scrollLeft : 0];
  }));
  for (const fresh of next.querySelectorAll("header, section")) {
    const old = document.getElementById(fresh.id);
    for (const row of fresh.querySelectorAll("details")) row.open = open.has(row.id);
    if (!old || old.innerHTML === fresh.innerHTML) continue;
    old.replaceChildren(...fresh.childNodes);
    const box = old.querySelector(".scroll");
    if (box) box.scrollLeft = scrolled.get(fresh.id) || 0;
  }
  document.title = next.title;
  const target = focus && focus();
  if (target && target !== document.activeElement) target.focus({ preventScroll: true });
}

async function renew() {
  if (loading || document.hidden) return;
  loading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch (error) {
    // The replica is away, or the port is no longer forwarded: the next attempt follows.
  } finally {
    loading = false;
  }
}

setInterval(renew, seconds * 1000);
