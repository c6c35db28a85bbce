// Keeps the page as the exporter sees things now. The server makes all HTML and decides all words about VIPs; what
// comes in is put in place of what was there, and what has not changed is not touched.
"use strict";

const STALE_AFTER = 6_000; // milliseconds without a message: the server sends one every three seconds at least
const STREAM_GIVEN_UP_AFTER = 4_500; // so that another way can be tried before that
const POLL_EVERY = 3_000;
const POLL_AT_LEAST_EVERY = 10_000; // while nobody answers
const STREAM_AGAIN_AFTER = 30_000; // after a stream that brought nothing, as behind a proxy that keeps it back
const RELOAD_AT_MOST_EVERY = 10_000; // several versions may answer at one address while they are being replaced
const KEEP_AFTER = 300; // the last key: browsers refuse an address that changes a hundred times in half a minute
const MOST_SAID = 3;

const root = document.documentElement;
const byId = (id) => document.getElementById(id);

// --- time: the server's clock, carried on by this browser's steady one, for its wall clock may be wrong -------------

let slept = 0; // performance.now() may stand still while the computer sleeps
let doubt = null; // after a time in which nothing ran, or in which the wall clock was set: the next message tells
let lastTick = { steady: performance.now(), wall: Date.now() };
const steady = () => performance.now() + slept;

let told = { time: Date.parse(root.dataset.time), at: steady() };
const now = () => told.time + (steady() - told.at);

// Whether this page has only now come back, from a sleep or from behind other tabs, and is to ask at once.
function noticeSleep() {
  const tick = { steady: performance.now(), wall: Date.now() };
  const [steadily, byWall] = [tick.steady - lastTick.steady, tick.wall - lastTick.wall];
  const missed = Math.max(0, byWall - steadily);
  lastTick = tick;
  if (doubt) {
    doubt.missed += missed;
    if (steady() < doubt.until) return false;
    slept += doubt.missed; // nothing came, so the time is taken to have passed
    doubt = null;
    return false;
  }
  if (Math.max(steadily, byWall) < STALE_AFTER) return false;
  doubt = { missed, until: steady() + STALE_AFTER };
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
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.classList.contains("age")) return; // it is ours
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "hidden") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const left = [...old.childNodes];
  const pairs = [...fresh.childNodes].map((child) => [partner(left, child), child]);
  left.forEach((child) => child.remove());
  let at = old.firstChild;
  for (const [known, child] of pairs) {
    // Text is moved out of the way of elements, never the other way round: moved, an element would lose the focus.
    while (at && at !== known && at.nodeType !== Node.ELEMENT_NODE) at = at.nextSibling;
    if (known && known === at) at = at.nextSibling;
    else old.insertBefore(known ?? child, at);
    if (known) morph(known, child);
  }
}

const keyOf = (node) => node.id || node.dataset?.key || "";

// Which of `left`, out of which it is taken, becomes `fresh`: what has its key, or else the next of its kind without any.
function partner(left, fresh) {
  const index = left.findIndex((old) => old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh));
  return index < 0 ? undefined : left.splice(index, 1)[0];
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

// By id, also of what is gone: an exporter that has just started does not know its VIPs yet.
const lastSaid = new Map([...document.querySelectorAll("[data-says]")].map(({ id, dataset }) => [id, dataset.says]));

function take(message) {
  if (message.version !== root.dataset.version && performance.now() > RELOAD_AT_MOST_EVERY) {
    location.reload(); // the page's own style and script may have changed with it
    return;
  }
  told = { time: Date.parse(message.time), at: steady() };
  doubt = null;
  undisguise();
  const focused = document.activeElement;
  const fresh = new Map();
  const said = [];
  for (const [id, html] of Object.entries(message.elements)) {
    const old = byId(id);
    const element = parse(html);
    const { says } = element.dataset;
    if (says) {
      if (lastSaid.has(id) && lastSaid.get(id) !== says) said.push(says);
      lastSaid.set(id, says);
    }
    if (old && old.nodeName === element.nodeName) {
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

  timer: 0,

  keepSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), KEEP_AFTER);
  },

  keep() {
    clearTimeout(this.timer);
    const kept = new URLSearchParams();
    if (byId("find").value) kept.set("find", byId("find").value);
    for (const state of this.pressed()) kept.append("state", state);
    try {
      history.replaceState(null, "", kept.size ? `#${kept}` : location.pathname + location.search);
    } catch {
      this.keepSoon(); // too often, this browser finds
    }
  },

  recall() {
    clearTimeout(this.timer);
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
      this.keepSoon();
      showAges();
    };
    byId("find").addEventListener("input", change);
    addEventListener("click", ({ target }) => target.closest("a") && this.keep(), { capture: true }); // to come back to
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
let disguised = null; // title and icon as the exporter made them, while others stand in their place

function write(id, words) {
  if (byId(id).textContent !== words) byId(id).textContent = words;
}

// In a row of tabs, nothing that is old may look as if it were true.
function disguise(words) {
  disguised ??= { title: document.title, icon: byId("icon").href };
  byId("icon").href = byId("icon").dataset.stale;
  document.title = `⚠ ${words} – vip-exporter`;
}

function undisguise() {
  if (!disguised) return;
  document.title = disguised.title;
  byId("icon").href = disguised.icon;
  disguised = null;
}

function show() {
  const silence = steady() - told.at;
  const stale = expired || (silence > STALE_AFTER && (!doubt || root.classList.contains("stale")));
  root.classList.toggle("stale", stale);
  root.classList.toggle("live", !stale && !doubt);
  if (stale) {
    write("why", expired ? "Your login has expired: load this page again to log in" : "No answer from the exporter");
    write("silence", expired ? "" : ` for ${length(silence)}`); // hidden from screen readers, that would read each second
    write("stands", clock(told.time));
    disguise(expired ? "login expired" : "no answer");
  }
  byId("stale").hidden = !stale;
  write("live", stale ? "as of" : doubt ? "asking again, as of" : "live");
  const shown = new Date(told.time).toISOString();
  byId("now").dateTime = shown;
  byId("now").querySelector(".date").textContent = shown.slice(0, 10);
  byId("now").querySelector(".clock").textContent = shown.slice(11, 19);
  showAges();
}

// --- the connection: a stream, or else polling ----------------------------------------------------------------------

const address = `/live${location.search}`;
let source = null; // the stream, from when it is asked for
let streamTimer = 0;
let streamAgainAt = 0;
let asking = null; // ends the question that is under way
let askTimer = 0;
let wait = POLL_EVERY;

function stream() {
  endStream();
  source = new EventSource(address);
  let heard = false;
  const giveUp = () => {
    endStream();
    streamAgainAt = heard ? 0 : steady() + STREAM_AGAIN_AFTER;
    poll();
  };
  source.onmessage = ({ data }) => {
    endPolling(); // not before: a stream that is open may be kept back all the same
    heard = true;
    wait = POLL_EVERY;
    expired = false;
    listen();
    take(JSON.parse(data));
  };
  source.onerror = giveUp;
  const listen = () => {
    clearTimeout(streamTimer);
    streamTimer = setTimeout(giveUp, STREAM_GIVEN_UP_AFTER);
  };
  listen();
}

function endStream() {
  clearTimeout(streamTimer);
  source?.close();
  source = null;
}

function endPolling() {
  clearTimeout(askTimer);
  asking?.abort();
}

async function poll() {
  endPolling();
  const { signal } = (asking = new AbortController());
  askTimer = setTimeout(poll, STALE_AFTER); // should this one never come back
  try {
    const response = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store", signal });
    if (!signal.aborted) expired = response.status === 401;
    if (!response.ok) throw new Error(response.statusText);
    const message = await response.json();
    if (signal.aborted) return;
    take(message);
    wait = POLL_EVERY;
    if (!source && steady() >= streamAgainAt) stream();
  } catch {
    if (signal.aborted) return; // the stream speaks again, or the next question is under way
    // Whoever watches a restarting exporter should not come back all at once.
    wait = Math.min(POLL_AT_LEAST_EVERY, wait * (1.25 + Math.random() / 2));
    show();
  }
  askTimer = setTimeout(poll, wait);
}

function tick() {
  if (noticeSleep()) {
    endStream();
    poll();
  }
  show();
}

filter.start();
show();
setInterval(tick, 1_000);
document.addEventListener("visibilitychange", () => document.hidden || tick());
addEventListener("pagehide", () => endStream());
addEventListener("pageshow", ({ persisted }) => persisted && poll());
stream();
