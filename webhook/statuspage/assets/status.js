// Loads the page again every few seconds and puts what has changed in its place: sections stay, and with them the focus,
// the scroll position and the rows that are open.
"use strict";

const seconds = Number(document.currentScript.dataset.refresh) || 10;
const renewal = document.getElementById("renewal");
const button = renewal.querySelector("button");
const told = renewal.querySelector("[role=status]");
const renewing = told.textContent;
let loading = false, paused = false, answers = true;

// What can take the focus, and is not an id: a place among its like, within the nearest row or section that has an id.
function finder(element) {
  if (element.id) return () => document.getElementById(element.id);
  const around = element.closest("[id]");
  if (!around) return null;
  const id = around.id, address = element.getAttribute("href");
  const selector = address === null ? element.localName : `a[href="${CSS.escape(address)}"]`;
  const place = Array.from(around.querySelectorAll(selector)).indexOf(element);
  return () => {
    const now = document.getElementById(id);
    return now && now.querySelectorAll(selector)[place];
  };
}

function focused() {
  const element = document.activeElement;
  return element && element !== document.body ? finder(element) : null;
}

// What the reader looks at: where the focus is, if that is in view, or the first row or section whose top is in view.
function lookedAt() {
  if (window.scrollY === 0) return null;
  const around = document.activeElement?.closest("tr[id]");
  const inView = (one) => one.getBoundingClientRect().top >= 0 && one.getBoundingClientRect().top < window.innerHeight;
  const element = around && inView(around) ? around
    : Array.from(document.querySelectorAll("section, tr[id]")).find(inView);
  return element ? [element.id, element.getBoundingClientRect().top] : null;
}

function replace(next) {
  const open = new Set(Array.from(document.querySelectorAll("details[open]"), (row) => row.id));
  const focus = focused(), looked = lookedAt();
  for (const fresh of next.querySelectorAll("#head, section")) {
    const old = document.getElementById(fresh.id);
    for (const row of fresh.querySelectorAll("details")) row.open = open.has(row.id);
    if (!old || old.innerHTML === fresh.innerHTML) continue;
    const sideways = old.querySelector(".scroll")?.scrollLeft || 0;
    old.replaceChildren(...fresh.childNodes);
    const box = old.querySelector(".scroll");
    if (box) box.scrollLeft = sideways;
  }
  document.title = next.title;
  const target = focus && focus();
  if (target && target !== document.activeElement) target.focus({ preventScroll: true });
  const row = looked && document.getElementById(looked[0]);
  if (row) window.scrollBy({ top: row.getBoundingClientRect().top - looked[1], behavior: "instant" });
}

function tell() {
  renewal.classList.toggle("stale", !answers);
  const text = paused ? "This page does not renew itself." : answers ? renewing
    : "The replica does not answer. What you see is from the time of this page.";
  if (told.textContent !== text) told.textContent = text;
}

async function renew() {
  if (loading || paused || document.hidden) return;
  loading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    answers = answer.ok;
    if (answers) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch (error) {
    // The replica is away, or the port is no longer forwarded: the next attempt follows.
    answers = false;
  } finally {
    loading = false;
    tell();
  }
}

button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  tell();
  renew();
});
document.addEventListener("visibilitychange", renew);
renewal.hidden = false;
setInterval(renew, seconds * 1000);
