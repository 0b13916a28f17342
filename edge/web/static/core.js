// What every live page uses: words, numbers, the stream, the commands. No page keeps state of its own: it shows the view.

export const boot = JSON.parse(document.getElementById("boot").textContent);
const other = boot.lang === "zh" ? "en" : "zh";

export const byId = (id) => document.getElementById(id);
export const word = (key) => (boot.words[key] || [key, key])[0];
export const second = (key) => (boot.words[key] || [key, key])[1];
export const pick = (words) => (words ? words[boot.lang] : "");
export const pickOther = (words) => (words ? words[other] : "");

// Numbers as people read them; the same forms as on the ticket. Integers only, so nothing is rounded.
const grouped = (digits, by) => digits.replace(/\B(?=(\d{3})+$)/g, by);
export const kg = (mass) => (mass < 0 ? "\u2212" : "") + grouped(String(Math.abs(mass)), "\u2009");
export function fen(money) {
  const size = Math.abs(money);
  return (money < 0 ? "\u2212" : "") + grouped(String(Math.floor(size / 100)), ",") + "." + String(size % 100).padStart(2, "0");
}
export const plate = (text) => (text && text.length > 6 ? text.slice(0, 2) + "·" + text.slice(2) : text || "—");

// Times are the plant's own, as text. Here they are only cut, or subtracted from each other: no time zone comes into it.
const isTime = (text) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text);
const parse = (text) => Date.parse(text.replace(" ", "T") + "Z");
export const clock = (text, seconds = true) => (isTime(text) ? text.slice(11, seconds ? 19 : 16) : text);
export function duration(minutes) {
  const days = Math.floor(minutes / 1440), hours = Math.floor((minutes % 1440) / 60);
  if (days) return `${days} ${word("days")} ${hours} ${word("hours")}`;
  return hours ? `${hours} ${word("hours")} ${minutes % 60} ${word("minutes")}` : `${minutes} ${word("minutes")}`;
}

// The plant's clock, not the tablet's: a page may hang on a machine whose clock is wrong.
const began = parse(boot.now) - performance.now();
const now = () => began + performance.now();
export const localNow = () => new Date(now()).toISOString().slice(0, 19).replace("T", " ");
export function showClock() {
  const show = () => setText("now", clock(localNow()));
  show();
  setInterval(show, 1000);
}

// Touch the page only where something changed, so that nothing flickers and a reading aid is not disturbed.
export function setText(at, text) {
  const node = typeof at === "string" ? byId(at) : at;
  const value = String(text);
  if (node.textContent !== value) node.textContent = value;
}
export function setClass(at, name) {
  const node = typeof at === "string" ? byId(at) : at;
  if (node.className !== name) node.className = name;
}
export function setHidden(at, hidden) {
  const node = typeof at === "string" ? byId(at) : at;
  if (node.hidden !== hidden) node.hidden = hidden;
}
export function make(tag, name = "", text = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== "") node.textContent = text;
  return node;
}
// Rebuilds a list only when what it shows has changed.
const shown = new WeakMap();
export function setRows(id, rows, build) {
  const list = byId(id), key = JSON.stringify(rows);
  if (shown.get(list) === key) return;
  shown.set(list, key);
  list.replaceChildren(...rows.map(build));
}

export function showLink(link) {
  const minutes = isTime(link.since) ? Math.max(0, Math.floor((now() - parse(link.since)) / 60000)) : link.oldest_minutes;
  const waiting = `${kg(link.waiting_records)} ${word("waiting_records")}`;
  const text = link.connected ? `${word("linked")} · ${waiting}` : `${word("unlinked")} ${duration(minutes)} · ${waiting}`;
  setText("link-text", text);
  setClass("link", link.connected ? "chip ok" : "chip calm");
  byId("link").title = link.connected ? second("linked") : `${second("unlinked")} · ${word("unlinked_ok")} ${second("unlinked_ok")}`;
}

export function showAlarms(alarms) {
  setHidden("alarms", !alarms.length);
  setText("alarm-count", alarms.length);
  setRows("alarm-rows", alarms, (alarm) => {
    const row = make("li");
    row.append(make("time", "", clock(alarm.at)), make("b", "", alarm.source), make("span", "", pick(alarm.words)), make("small", "", pickOther(alarm.words)));
    return row;
  });
}

// The stream of one topic. `quiet` is told when nothing came for `silence` ms (0: when the connection is lost) and when it is back.
export function follow(topic, silence, paint, quiet) {
  let last = performance.now(), isQuiet = false, source = null, lostSince = null;
  const open = () => {
    source = new EventSource("/events/" + topic);
    source.onopen = () => { lostSince = null; };
    source.onmessage = (event) => {
      last = performance.now();
      lostSince = null;
      paint(JSON.parse(event.data));
      if (isQuiet) quiet((isQuiet = false));
    };
    source.onerror = () => {
      lostSince = lostSince || performance.now();
      if (source.readyState === EventSource.CLOSED) again();
    };
  };
  const again = async () => {
    source.close();
    const answer = await fetch("/" + topic.replace(/^(queue)$/, "$1.json").replace(/^((lane|gate)\/.*)$/, "$1/view.json"),
      { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer && answer.status === 401) return logIn();
    setTimeout(open, 1000);
  };
  open();
  setInterval(() => {
    const at = performance.now();
    const dead = silence ? at - last > silence : lostSince !== null && at - lostSince > 2000;
    if (dead !== isQuiet) quiet((isQuiet = dead));
  }, 200);
}

export function logIn() {
  location.href = "/login?next=" + encodeURIComponent(location.pathname);
}

// One command. Always answers {ok, words | why}; a lost answer is a no with its own words, never silence.
export async function post(path, fields = {}) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(15000),
    });
    if (answer.status === 401) logIn();
    return await answer.json();
  } catch {
    return { ok: false, why: inBoth("no_answer") };
  }
}

// A dialog that answers true for its "yes" button.
export function ask(id) {
  const dialog = byId(id);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => {
    // Chromium gives the focus back to a field that then takes no keys; it must be given anew.
    document.activeElement.blur();
    done(dialog.returnValue === "yes");
  }, { once: true }));
}
export const asking = () => document.querySelector("dialog[open]") !== null;

// A label of ours in the shape of the station's words.
export const inBoth = (key) => ({ [boot.lang]: word(key), [other]: second(key) });

export function fillFrom(dialog, input) {
  for (const button of byId(dialog).querySelectorAll("[data-fill]")) {
    button.addEventListener("click", () => { byId(input).value = button.dataset.fill; byId(input).focus(); });
  }
}
