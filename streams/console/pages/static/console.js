// Keeps the page live: when the server says that there is something new, the same page is asked for
// again, and the parts that are marked data-live are put in the place of the old ones. Without this
// script everything works, with a reload. It makes no HTML of its own.
"use strict";

const live = document.getElementById("live");
const find = document.getElementById("find");

// What the reader has opened, and where the reader is, outlives the change.
function replace(old, fresh) {
  if (old.innerHTML === fresh.innerHTML || old.querySelector("input:focus, select:focus")) return;
  const open = [...old.querySelectorAll("details[open]")].map((each) => each.id);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const within = focused && [...old.querySelectorAll("a, summary, pre")].indexOf(focused);
  old.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) old.querySelectorAll("a, summary, pre")[within]?.focus({ preventScroll: true });
}

let busy = false;
let again = false;

async function refresh() {
  if (live.getAttribute("aria-pressed") !== "true" || document.hidden) return;
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(old.id);
        if (next) replace(old, next);
      }
      live.classList.remove("news");
      requestAnimationFrame(() => live.classList.add("news"));
      document.documentElement.dataset.refreshed = Number(document.documentElement.dataset.refreshed || 0) + 1;
    }
  } catch {
    // The server is away: the stream tries again by itself, and its next line brings a refresh.
  } finally {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

if (live && document.querySelector("[data-live]")) {
  let first = true;
  const stream = new EventSource("/live");
  stream.onmessage = () => {
    if (!first) refresh();
    first = false;
  };
  live.hidden = false;
  live.addEventListener("click", () => {
    const on = live.getAttribute("aria-pressed") !== "true";
    live.setAttribute("aria-pressed", String(on));
    if (on) refresh();
  });
  document.addEventListener("visibilitychange", refresh);
}

// "/" goes to the search field, as everywhere.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && find && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    find.focus();
  }
});
