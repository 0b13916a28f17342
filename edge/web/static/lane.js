// The dispatcher's page: one stream in, one command out.
import { ask, asking, boot, byId, fillFrom, follow, inBoth, kg, pick, pickOther, post, second, setClass, setHidden, setText, showClock, word } from "./core.js";
import { askSeen, showWatch } from "./alarm.js";
import { mainAction, paint } from "./lane_paint.js";
import { showPlate, watchImages } from "./plate.js";
import { askCode } from "./topup.js";

const lane = byId("lane").dataset.lane;
const REPLY_MS = 8000;
// A button that changed its meaning under the finger is not obeyed at once.
const SETTLE_MS = 1200;

let view = boot.view, stale = false, busy = false, reply = null, replyAt = 0, mainName = "", mainSince = -SETTLE_MS;

function why(action) {
  if (stale) return inBoth("stale");
  if (!boot.may[action.name]) return boot.not_allowed;
  return action.enabled ? null : action.why;
}

function show() {
  paint(view, stale, why, busy, call);
  showWatch(view, mayNotSee());
  question();
  const action = mainAction(view);
  const name = action.name + action.visit;
  if (name !== mainName) {
    if (mainName) mainSince = performance.now();
    mainName = name;
  }
  said();
}

// The line of the moment, by urgency.
function said() {
  const visit = view.visit, old = performance.now() - replyAt > REPLY_MS;
  const paper = visit && visit.ticket && ["failed", "unknown"].includes(visit.print_state);
  setHidden("paper", !paper || stale);
  if (stale) return say("bad", "✕", word("stale"), second("stale"));
  if (paper) return say("warn", "⚠", `${word("print_" + visit.print_state)} · ${word("paper_question")}`, second("paper_question"));
  if (pick(view.barred) && (!reply || old)) return say("bad", "✕", pick(view.barred), pickOther(view.barred));
  if (reply && !old) return say(reply.ok ? "good" : "bad", reply.ok ? "✓" : "✕", pick(reply.words), pickOther(reply.words));
  if (pick(view.scale.what)) return say("bad", "✕", pick(view.scale.what), pickOther(view.scale.what));
  if (view.last && !view.hold) return say("bad", "✕", pick(view.last), pickOther(view.last));
  if (view.done) return say("good", "✓", pick(view.done), pickOther(view.done));
  if (view.alarms.length) return say("warn", "⚠", pick(view.alarms[0].words), pickOther(view.alarms[0].words));
  const next = mainAction(view).name;
  return say("", "", `${word("pedal")} / Enter = ${word(next)}`, `${second("pedal")} / Enter = ${second(next)}`);
}

function say(kind, mark, main, side) {
  setClass("said", "said " + kind);
  setText("said-mark", mark);
  setText("said-main", main);
  setText("said-second", side);
}

async function send(command, fields = {}) {
  if (busy) return;
  busy = true;
  show();
  const answer = await post(`/lane/${lane}/${command}`, fields);
  busy = false;
  answered(answer);
}

function answered(answer) {
  reply = { ok: answer.ok, words: answer.ok ? answer.words : answer.why };
  replyAt = performance.now();
  show();
}

function refuse(reason) {
  answered({ ok: false, why: reason });
}

function call(visit) {
  const action = view.actions.find((one) => one.name === "call");
  const no = action ? why(action) : boot.not_allowed;
  return no ? refuse(no) : send("call", { visit });
}

function pressMain() {
  const action = mainAction(view);
  const no = why(action);
  // First: a colleague may have pressed a moment before, and then the reason would be that of another button.
  if (performance.now() - mainSince < SETTLE_MS) return refuse(inBoth("just_changed"));
  if (no) return refuse(no);
  return send(action.name, { visit: action.visit || standing() });
}

// The truck that the page shows: a press, or a dialog left open, never acts on the next one.
const standing = () => (view.visit ? view.visit.visit : "");

async function pressOther(name) {
  const visit = standing();
  const action = view.actions.find((one) => one.name === name) || { name, enabled: false, why: boot.not_allowed };
  const no = why(action);
  if (no) return refuse(no);
  if (name === "cancel") {
    byId("cancel-reason").value = "";
    return (await ask("ask-cancel")) ? send(name, { visit, reason: byId("cancel-reason").value }) : undefined;
  }
  if (name === "topup") {
    const taken = await askCode((code) => post(`/lane/${lane}/topup`, { visit, code }));
    return taken ? answered(taken) : undefined;
  }
  if (name === "zero") {
    const shown = view.scale.gross_kg;
    setText("zero-kg", kg(shown));
    return (await ask("ask-zero")) ? send(name, { kg: String(shown) }) : undefined;
  }
  if (name === "empty_exit") return (await ask("ask-empty")) ? send(name, { visit }) : undefined;
  return send(name, { visit });
}

const mayNotCompare = () => (stale ? inBoth("stale") : boot.may.compare ? null : boot.not_allowed);

// The camera is not sure whether this is the truck: what was pressed goes on when the dispatcher has said.
function question() {
  const asked = view.plate_question, no = mayNotCompare();
  setHidden("plate-ask", !asked);
  document.body.classList.toggle("asked", Boolean(asked));
  if (!asked) return;
  showPlate("ask", asked.look, asked.claimed);
  for (const id of ["ask-yes", "ask-no"]) {
    byId(id).setAttribute("aria-disabled", String(Boolean(no) || busy));
    byId(id).title = no ? pick(no) : "";
  }
}

function compare(same) {
  const asked = view.plate_question, no = mayNotCompare();
  if (no || !asked) return no ? refuse(no) : undefined;
  return send("compare", { visit: asked.visit, shown: asked.look.picture, same });
}

const mayNotSee = () => (stale ? inBoth("stale") : boot.may.alarm_seen ? null : boot.not_allowed);

async function seeAlarm() {
  const [alarm] = view.scale_alarms, no = mayNotSee();
  if (no || !alarm) return no ? refuse(no) : undefined;
  const fields = await askSeen(alarm);
  return fields ? send("alarm_seen", fields) : undefined;
}

// The pedal is a keyboard with one key, F9 or Enter. A key held down is one press.
function key(event) {
  if (event.repeat || asking() || !["F9", "Enter"].includes(event.key)) return;
  const focused = document.activeElement;
  const other = focused && focused.matches("button, a, input") && focused.id !== "main";
  if (event.key === "Enter" && other && focused.matches(":focus-visible")) return;
  event.preventDefault();
  pressMain();
}

byId("main").addEventListener("click", pressMain);
document.addEventListener("keydown", key);
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => { button.blur(); pressOther(button.dataset.action); });
}
for (const button of document.querySelectorAll("[data-paper]")) {
  button.addEventListener("click", async () => {
    button.blur();
    if (view.visit && view.visit.ticket) {
      answered(await post(`/tickets/${encodeURIComponent(view.visit.ticket)}/confirm_print`, { paper_out: button.dataset.paper }));
    }
  });
}
byId("alarms").addEventListener("click", () => ask("alarm-list"));
for (const id of ["watch-see", "watch-chip"]) byId(id).addEventListener("click", () => { byId(id).blur(); seeAlarm(); });
byId("ask-yes").addEventListener("click", () => { byId("ask-yes").blur(); compare("yes"); });
byId("ask-no").addEventListener("click", () => { byId("ask-no").blur(); compare("no"); });
watchImages(["ask"]);
fillFrom("ask-cancel", "cancel-reason");
fillFrom("ask-alarm", "alarm-note");

show();
showClock();
setInterval(said, 1000);
follow(`lane/${lane}`, 2000, (fresh) => {
  if (fresh.scale.state === "lost" && view.scale.state !== "lost") reply = null; // it was about a weight that is gone
  view = fresh;
  show();
}, (isStale) => { stale = isStale; show(); });
