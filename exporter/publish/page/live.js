// Keeps the page as the exporter sees things now. The server makes all HTML and decides all words about VIPs; what
// comes in is put in place of what was there, and what has not changed is not touched.
"use strict";

const STALE_AFTER = 6_000; // milliseconds without a message: the server sends one every three seconds at least
const POLL_EVERY = 3_000;
const POLL_AT_LEAST_EVERY = 10_000; // while nobody answers
const STREAM_AGAIN_AFTER = 30_000; // after a stream that brought nothing, as behind a proxy that keeps it back
const RELOAD_AT_MOST_EVERY = 10_000; // several versions may answer at one address while they are being replaced
const MOST_SAID = 3;

const root = document.documentElement;
const byId = (id) => document.getElementById(id);

// --- time: the server's clock, carried on by this browser's steady one, for its wall clock may be wrong -------------

let slept = 0; // performance.now() may stand still while the computer sleeps
let lastTick = { steady: performance.now(), wall: Date.now() };
const steady = () => performance.now() + slept;

let told = { time: Date.parse(root.dataset.time), at: steady() };
const now = () => told.time + (steady() - told.at);

function noticeSleep() {
  const tick = { steady: performance.now(), wall: Date.now() };
  const missed = tick.wall - lastTick.wall - (tick.steady - lastTick.steady);
  lastTick = tick;
  if (missed < STALE_AFTER) return false;
  slept += missed;
  return true;
}

const UNITS = [["d", 86_400], ["h", 3_600], ["m", 60], ["s", 1]];

// In its two largest units, as the server writes lengths of time.
function length(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const at = Math.max(0, UNITS.findIndex(([, size]) => seconds >= size));
  if (seconds < 60) return `${seconds}\u00a0s`;
  const [[unit, size], [smaller, less]] = UNITS.slice(at, at + 2);
  return `${Math.floor(seconds / size)}\u00a0${unit}\u00a0${Math.floor((seconds % size) / less)}\u00a0${smaller}`;
}

const clock = (time) => new Date(time).toISOString().slice(11, 19);

function showAges() {
  const present = now();
  for (const time of document.querySelectorAll("time[data-age]")) {
    // Nobody sees it, and there may be a thousand.
    if (time.closest("tr[hidden]")) continue;
    const age = time.querySelector(".age");
    const words = `, ${length(present - Date.parse(time.dateTime))}\u00a0ago`;
    if (age.textContent !== words) age.textContent = words;
  }
}

// --- what has changed, put into the page ---------------------------------------------------------------------------

// Make `old` equal to `fresh` by the fewest changes: focus, selection and scroll position stay where they are.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return undefined;
  }
  if (old.classList.contains("age")) return undefined; // it is ours
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "hidden") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, index) => (index < before.length ? morph(before[index], child) : old.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
  return undefined;
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function arrange(container, ids, fresh) {
  const had = new Map([...container.children].map((child) => [child.id, child]));
  let at = container.firstElementChild;
  for (const id of ids) {
    const child = had.get(id) ?? fresh.get(id);
    if (!child) continue;
    if (at && child === at.nextElementSibling) {
      const passed = at; // one that has gone, or comes later: cheaper than to move all that follow it
      at = child;
      passed.remove();
    }
    if (child === at) at = at.nextElementSibling;
    else container.insertBefore(child, at);
  }
  while (at) {
    const gone = at;
    at = at.nextElementSibling;
    gone.remove();
  }
}

function take(message) {
  if (message.version !== root.dataset.version && performance.now() > RELOAD_AT_MOST_EVERY) {
    location.reload(); // the page's own style and script may have changed with it
    return;
  }
  told = { time: Date.parse(message.time), at: steady() };
  const focused = document.activeElement;
  const fresh = new Map();
  const said = [];
  for (const [id, html] of Object.entries(message.elements)) {
    const old = byId(id);
    const element = parse(html);
    if (old && old.nodeName === element.nodeName) {
      if (element.dataset.says !== old.dataset.says) said.push(element.dataset.says);
      morph(old, element);
      filter.texts.delete(old);
    } else {
      old?.remove();
      fresh.set(id, element);
    }
  }
  for (const [id, ids] of Object.entries(message.lists)) arrange(byId(id), ids, fresh);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  if (said.length) {
    const more = said.length > MOST_SAID ? [`and ${said.length - MOST_SAID} more have changed`] : [];
    byId("said").textContent = [...said.slice(0, MOST_SAID), ...more].join(". ");
  }
  if (Object.keys(message.elements).length || Object.keys(message.lists).length) filter.apply();
  show();
}

// --- many VIPs: the filter, which is part of the page's address -----------------------------------------------------

const filter = {
  texts: new WeakMap(), // of a row, what can be found in it
  chips: [...document.querySelectorAll("#filter [data-state]")],

  apply() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(this.pressed());
    const rows = byId("rows").children;
    let shown = 0;
    for (const row of rows) {
      const fits = (!states.size || states.has(row.dataset.state)) && words.every((word) => this.text(row).includes(word));
      if (row.hidden === fits) row.hidden = !fits;
      if (fits) shown += 1;
    }
    const all = rows.length.toLocaleString("en");
    write("found", words.length || states.size ? `${shown.toLocaleString("en")} of ${all} shown` : `${all} VIPs`);
  },

  text(row) {
    let text = this.texts.get(row);
    if (text === undefined) {
      const cells = [...row.cells].filter((cell) => !cell.matches(".since"));
      text = cells.map((cell) => cell.textContent).join(" ").toLowerCase();
      this.texts.set(row, text);
    }
    return text;
  },

  pressed() {
    return this.chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.state);
  },

  keep() {
    const kept = new URLSearchParams();
    if (byId("find").value) kept.set("find", byId("find").value);
    for (const state of this.pressed()) kept.append("state", state);
    history.replaceState(null, "", kept.size ? `#${kept}` : location.pathname + location.search);
  },

  recall() {
    const kept = new URLSearchParams(location.hash.slice(1));
    if (location.hash && !kept.has("find") && !kept.has("state")) return; // it names an element
    byId("find").value = kept.get("find") ?? "";
    for (const chip of this.chips) chip.ariaPressed = String(kept.getAll("state").includes(chip.dataset.state));
    this.apply();
  },

  start() {
    byId("filter").hidden = false;
    const change = () => {
      this.apply();
      this.keep();
      showAges();
    };
    byId("find").addEventListener("input", change);
    for (const chip of this.chips) {
      chip.addEventListener("click", () => {
        chip.ariaPressed = String(chip.ariaPressed !== "true");
        change();
      });
    }
    addEventListener("hashchange", () => this.recall());
    this.recall();
  },
};

// --- whether what stands here is true now ---------------------------------------------------------------------------

let expired = false; // the login

function write(id, words) {
  if (byId(id).textContent !== words) byId(id).textContent = words;
}

function show() {
  const silence = steady() - told.at;
  const stale = silence > STALE_AFTER || expired;
  root.classList.toggle("stale", stale);
  root.classList.toggle("live", !stale);
  if (stale) {
    write("why", expired ? "Your login has expired: load this page again to log in" : "No answer from the exporter");
    write("silence", expired ? "" : ` for ${length(silence)}`); // hidden from screen readers, that would read each second
    write("stands", clock(told.time));
  }
  byId("stale").hidden = !stale;
  write("live", stale ? "as of" : "live");
  const shown = new Date(told.time).toISOString();
  byId("now").dateTime = shown;
  byId("now").querySelector(".date").textContent = shown.slice(0, 10);
  byId("now").querySelector(".clock").textContent = shown.slice(11, 19);
  showAges();
}

// --- the connection: a stream, or else polling ----------------------------------------------------------------------

const address = `/live${location.search}`;
let source = null;
let timer = 0;
let streamAgainAt = 0;
let wait = POLL_EVERY;

function later(what, milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(what, milliseconds);
}

function stream() {
  source?.close();
  source = new EventSource(address);
  let heard = false;
  const giveUp = () => {
    source?.close();
    source = null;
    streamAgainAt = heard ? 0 : steady() + STREAM_AGAIN_AFTER;
    poll();
  };
  source.onmessage = ({ data }) => {
    heard = true;
    wait = POLL_EVERY;
    expired = false;
    later(giveUp, STALE_AFTER);
    take(JSON.parse(data));
  };
  source.onerror = giveUp;
  later(giveUp, STALE_AFTER);
}

async function poll() {
  later(poll, 2 * POLL_AT_LEAST_EVERY); // should this one never come back
  try {
    const response = await fetch(address, {
      headers: { Accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(STALE_AFTER),
    });
    expired = response.status === 401;
    if (!response.ok) throw new Error(response.statusText);
    take(await response.json());
    wait = POLL_EVERY;
    if (steady() >= streamAgainAt) return stream();
  } catch {
    // Whoever watches a restarting exporter should not come back all at once.
    wait = Math.min(POLL_AT_LEAST_EVERY, wait * (1.25 + Math.random() / 2));
    show();
  }
  later(poll, wait);
  return undefined;
}

function tick() {
  if (noticeSleep()) {
    source?.close();
    source = null;
    poll();
  }
  show();
}

filter.start();
show();
setInterval(tick, 1_000);
document.addEventListener("visibilitychange", () => document.hidden || tick());
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", ({ persisted }) => persisted && poll());
stream();
