// The guard's page: a scanner types, a verdict stands.
import { ask, asking, boot, byId, clock, fillFrom, follow, kg, localNow, make, pick, pickOther, plate, post, second, setClass, setHidden, setRows, setText, showAlarms, showClock, showLink, word } from "./core.js";
import { sighting, suggest } from "./arrival.js";
import { showPlate, watchImages } from "./plate.js";

const gate = byId("gate").dataset.gate;
// An OPEN must not stand until the next truck comes: after this the page waits again.
const VERDICT_MS = 60000;
// A question stands longer: the guard walks to the truck, and back.
const QUESTION_MS = 300000;
const PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
const MARKS = { open: "✓", ask_guard: "?", refuse: "✕", wait: "" };

let view = boot.view, direct = null, busy = false;

// The verdict to show, until it is old. Its age is counted here, from the moment it came.
let shownAt = null, cameAt = 0;
function arrived(verdict, age = 0) {
  const name = verdict ? JSON.stringify([verdict.at, verdict.verdict, verdict.overridden_by, verdict.why]) : null;
  if (name === shownAt) return;
  [shownAt, cameAt] = [name, performance.now() - age];
}
function current() {
  const last = direct || view.last;
  return last && performance.now() - cameAt < (last.plate_asked ? QUESTION_MS : VERDICT_MS) ? last : null;
}

function show() {
  const verdict = current();
  const kind = verdict ? (verdict.overridden_by ? "open" : verdict.verdict) : "wait";
  // The pass was good but the barrier did not act: the guard must.
  const stuck = Boolean(verdict) && verdict.barrier === "failed";
  byId("verdict").dataset.verdict = stuck ? "ask_guard" : kind;
  setText("verdict-mark", stuck ? "!" : MARKS[kind]);
  const label = busy ? "scan_busy" : stuck ? "verdict_stuck" : "verdict_" + kind;
  setText("verdict-main", word(label));
  setText("verdict-second", second(label));
  reason(verdict, kind);
  const ticket = verdict && verdict.ticket;
  setText("verdict-net", !ticket ? "" : isEmpty(ticket) ? `${word("truck_empty")} ${second("truck_empty")}` : `${word("net_kg")} ${kg(ticket.net_kg)} kg`);
  setText("verdict-goods", ticket ? ticket.product : "");
  setText("barrier-said", verdict && verdict.barrier ? `${verdict.barrier === "opened" ? "✓" : "✕"} ${word("barrier_" + verdict.barrier)} ${second("barrier_" + verdict.barrier)}` : "");
  byId("barrier-said").classList.toggle("bad", Boolean(verdict) && verdict.barrier === "failed");
  facts(verdict, ticket);
  picture(verdict);
  question(verdict);
  today();
  chips();
  overridable(verdict);
}

// An empty truck's pass: no goods, no ticket, no seals; the guard looks into the body.
function isEmpty(ticket) {
  return ticket.mode === "empty";
}

function reason(verdict, kind) {
  let main = "", side = "";
  if (verdict && verdict.overridden_by) [main, side] = [`${word("overridden")} ${verdict.overridden_by}`, verdict.why ? pick(verdict.why) : ""];
  else if (verdict && verdict.why) [main, side] = [pick(verdict.why), pickOther(verdict.why)];
  else if (kind === "open" && verdict.plate_by) [main, side] = [`${word("plate_by")} ${verdict.plate_by}`, second("plate_by")];
  else if (kind === "open") [main, side] = [word("verdict_checks"), second("verdict_checks")];
  else if (kind === "wait" && view.today.length) {
    const last = view.today[0];
    main = `${word("verdict_previous")}: ${plate(last.plate)} ${pick(last.words)} ${clock(last.at)}`;
  }
  setText("reason", main);
  setText("reason-2", side);
}

function facts(verdict, ticket) {
  setText("plate-pass", verdict ? plate(verdict.plate_pass) : "—");
  const seen = verdict && verdict.plate_seen, agrees = seen && verdict.plate_seen === verdict.plate_pass;
  const sure = seen ? ` ${Math.floor(verdict.confidence_permille / 10)}%` : "";
  setText("plate-seen", verdict ? (seen ? `${plate(verdict.plate_seen)} ${agrees ? "✓" : "✕"}${sure}` : word("not_read")) : "—");
  setClass("plate-seen", !verdict ? "" : agrees ? "good" : "bad");
  const by = verdict && verdict.plate_by ? verdict.plate_by : "";
  setText("plate-by", by);
  for (const node of document.querySelectorAll(".facts-card .by")) setHidden(node, !by);
  setText("ticket", !ticket ? "—" : isEmpty(ticket) ? word("slip") : ticket.ticket);
  setText("customer", (ticket && ticket.customer_name) || "—");
  setText("gross-at", ticket ? clock(ticket.gross_at) : "—");
  const seal = (kind) => `${word("seal_" + kind)} ${ticket[kind + "_seal"] ? "✓" : "✕ " + word("missing")}`;
  setText("seals", ticket && !isEmpty(ticket) ? `${seal("enterprise")}  ${seal("finance")}` : "—");
}

// The camera is not sure: the guard looks himself. The two buttons stay where they are until he has said so.
function question(verdict) {
  const asked = Boolean(verdict && verdict.plate_asked && verdict.look);
  setHidden("plate-ask", !asked);
  document.body.classList.toggle("asked", asked);
  if (!asked) return;
  showPlate("ask", verdict.look, verdict.plate_pass);
  for (const id of ["ask-yes", "ask-no"]) {
    byId(id).setAttribute("aria-disabled", String(busy || !boot.may.compare_gate));
    byId(id).title = boot.may.compare_gate ? "" : pick(boot.not_allowed);
  }
}

async function compare(same) {
  const verdict = current();
  if (busy || !boot.may.compare_gate || !verdict || !verdict.plate_asked || !verdict.ticket) return focusCode();
  busy = true;
  show();
  const answer = await post(`/gate/${gate}/compare`, { same, paper: verdict.ticket.ticket, shown: verdict.picture });
  busy = false;
  if (answer.verdict) answered(answer);
  else { show(); note(answer); }
  return focusCode();
}

function picture(verdict) {
  const photo = byId("photo"), key = verdict ? verdict.picture : "";
  const path = key ? `/gate/${encodeURIComponent(gate)}/picture/${encodeURIComponent(key)}` : "";
  if (photo.dataset.path !== path) {
    photo.dataset.path = path;
    setHidden(photo, !path);
    if (path) photo.src = path;
  }
  setHidden("no-photo", Boolean(path) && !photo.hidden);
  setHidden("photo-plate", !(verdict && verdict.plate_seen));
  setText("photo-plate", verdict && verdict.plate_seen ? plate(verdict.plate_seen) : "");
}

function today() {
  setText("released", view.released_today);
  setRows("today", view.today.length ? view.today : [null], (row) => {
    if (!row) return make("li", "empty", word("nothing_yet"));
    const line = make("li", row.verdict);
    line.append(make("time", "", clock(row.at, false)), make("b", "", plate(row.plate)), make("span", "num", row.net_kg === null ? "—" : row.net_kg === 0 ? word("truck_empty") : `${kg(row.net_kg)} kg`),
      make("em", "", `${MARKS[row.verdict] || "·"} ${pick(row.words)}`));
    return line;
  });
}

function chips() {
  showLink(view.link);
  showAlarms(view.alarms);
  setText("barrier-text", pick(view.barrier));
  setClass("barrier", view.barrier_ok ? "chip ok" : "chip warn");
  const loop = view.vehicle_on_loop === null ? "unknown" : view.vehicle_on_loop ? "on" : "off";
  setText("loop", word("loop_" + loop));
}

function overridable(verdict) {
  const button = byId("override");
  let no = "";
  if (!boot.may.override) no = pick(boot.not_allowed);
  else if (!verdict || !verdict.overridable || verdict.overridden_by) no = word("override_no");
  button.setAttribute("aria-disabled", String(Boolean(no)));
  setText(button.querySelector(".why"), no);
  const arrive = byId("arrive");
  arrive.setAttribute("aria-disabled", String(!boot.may.arrive));
  setText(arrive.querySelector(".why"), boot.may.arrive ? "" : pick(boot.not_allowed));
}

// A no that came without a verdict is shown as one: the guard looks at one place only.
function answered(answer) {
  const none = { verdict: "refuse", ticket: null, plate_pass: "", plate_seen: "", confidence_permille: 0, overridable: false, picture: "", overridden_by: "", barrier: "" };
  direct = answer.verdict || { ...none, why: answer.why, at: localNow() };
  arrived(direct);
  show();
}

async function scan(event) {
  event.preventDefault();
  const code = byId("code").value.trim();
  byId("code").value = "";
  if (!code || busy) return;
  busy = true;
  show();
  const answer = await post(`/gate/${gate}/scan`, { code });
  busy = false;
  answered(answer);
  focusCode();
}

async function override() {
  if (byId("override").getAttribute("aria-disabled") === "true") return focusCode();
  const verdict = current();
  const paper = verdict && verdict.ticket ? verdict.ticket.ticket : "";
  setText("ask-why", verdict && verdict.why ? pick(verdict.why) : "");
  byId("override-reason").value = "";
  if (await ask("ask-override")) {
    const answer = await post(`/gate/${gate}/override`, { name: byId("override-name").value, reason: byId("override-reason").value, paper });
    if (answer.verdict) answered(answer);
    else note(answer);
  }
  return focusCode();
}

async function arrive() {
  if (byId("arrive").getAttribute("aria-disabled") === "true") return focusCode();
  byId("arrive-plate").value = "";
  const open = await fetch("/notices.json", { headers: { Accept: "application/json" } }).then((answer) => answer.json()).catch(() => []);
  suggest(Array.isArray(open) ? open : []);
  if (await ask("ask-arrive")) note(await post("/arrive", { plate: byId("arrive-plate").value, shown: sighting() }));
  return focusCode();
}

function note(answer) {
  const words = answer.ok ? answer.words : answer.why;
  const line = document.querySelector(".note") || document.querySelector("main").insertAdjacentElement("beforebegin", make("p"));
  setClass(line, `note float ${answer.ok ? "good" : "bad"}`);
  line.replaceChildren(make("b", "", answer.ok ? "✓ " : "✕ "), make("span", "", pick(words)), make("small", "", " " + pickOther(words)));
  clearTimeout(note.timer);
  note.timer = setTimeout(() => line.remove(), 8000);
}

// The scanner is a keyboard: whatever was touched last, its keys must land in the field.
function focusCode() {
  if (!asking()) byId("code").focus({ preventScroll: true });
}

byId("scan").addEventListener("submit", scan);
byId("photo").addEventListener("error", () => { setHidden("photo", true); setHidden("no-photo", false); });
byId("override").addEventListener("click", override);
byId("arrive").addEventListener("click", arrive);
byId("ask-yes").addEventListener("click", () => compare("yes"));
byId("ask-no").addEventListener("click", () => compare("no"));
watchImages(["ask"]);
byId("alarms").addEventListener("click", () => ask("alarm-list").then(focusCode));
document.addEventListener("keydown", (event) => { if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) focusCode(); });
document.addEventListener("click", () => setTimeout(focusCode, 0));
window.addEventListener("focus", focusCode);
fillFrom("ask-override", "override-reason");
for (const letter of PROVINCES) {
  const button = make("button", "button", letter);
  button.type = "button";
  button.addEventListener("click", () => { byId("arrive-plate").value = letter + byId("arrive-plate").value.replace(/^[^A-Z0-9]/i, ""); byId("arrive-plate").focus(); });
  byId("provinces").append(button);
}

const age = byId("gate").dataset.ageMs;
arrived(view.last, age === "" ? QUESTION_MS : Number(age));
show();
showClock();
focusCode();
setInterval(show, 1000);
follow(`gate/${gate}`, 0, (fresh) => {
  if (JSON.stringify(fresh.last) !== JSON.stringify(view.last)) direct = null;
  view = fresh;
  if (!direct) arrived(view.last);
  show();
}, (quiet) => document.body.classList.toggle("stale", quiet));
