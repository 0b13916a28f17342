// Shows a LaneView. Nothing here decides: what is allowed and how much is left comes with the view.
import { byId, clock, fen, inBoth, kg, make, pick, pickOther, plate, second, setClass, setHidden, setRows, setText, showAlarms, showLink, word } from "./core.js";

const STEADY = { stable: ["ok", "✓", "steady"], moving: ["warn", "≈", "moving"], empty: ["", "○", "empty"],
  lost: ["bad", "✕", "lost"], overload: ["bad", "✕", "overload"], negative: ["bad", "−", "negative"] };
const VERDICT = { under: ["ok", "✓"], near: ["warn", "!"], over: ["bad", "✕"] };
const MAIN = { admitted: "tare", tared: "start_loading", loading: "load_complete" };
const ROOM = 0.94; // the limit mark stands here; what is over is drawn beyond it

// The one thing to do next: the button, the pedal and the Enter key.
export function mainAction(view) {
  const find = (name) => view.actions.find((one) => one.name === name) || { name, enabled: false, why: { zh: "", en: "" } };
  if (view.hold) {
    const money = view.hold.ways_out.some((way) => way !== "unload");
    return { ...find(money ? "recheck" : "unload"), visit: "" };
  }
  const name = view.visit && MAIN[view.visit.state];
  if (name) return { ...find(name), visit: name === "load_complete" ? view.visit.visit : "" };
  const next = view.queue.find((entry) => !entry.lane);
  if (next) return { ...find("call"), visit: next.visit, next };
  return { name: "call", enabled: false, visit: "", why: inBoth("wait_queue") };
}

export function paint(view, stale, why, busy, call) {
  document.body.classList.toggle("stale", stale);
  const weight = stale ? null : view.scale.gross_kg;
  scale(view, stale, weight);
  load(view, weight);
  hold(view, stale, weight);
  buttons(view, why, busy);
  truck(view);
  money(view, weight);
  curve(view);
  queue(view, why, call);
  showLink(view.link);
  showAlarms(view.alarms);
}

function scale(view, stale, weight) {
  const { scale } = view;
  const [kind, mark, key] = stale ? STEADY.lost : STEADY[scale.state] || STEADY.lost;
  setClass("steady", "tag " + kind);
  setText("steady", `${mark} ${word(key)} ${second(key)}`);
  // Zero is asked for before the tare; after it the same truck stands there, or not.
  const same = view.visit && view.visit.tare_kg !== null, there = ["stable", "moving", "overload"].includes(scale.state);
  const good = same ? there : scale.zero_seen;
  setClass("zeroed", good ? "tag ok" : same ? "tag" : "tag warn");
  const unknown = stale || scale.state === "lost";
  const label = same ? (there ? "on_scale" : "off_scale") : good ? "zero_seen" : "zero_unseen";
  setText("zeroed", unknown ? "" : `${good ? "✓" : same ? "○" : "!"} ${word(label)}`);
  setText("about", `${scale.frames_per_s} ${word("frames")} · ${word("division")} ${scale.division_kg} kg${scale.verified_until ? ` · ${word("verified")} ${scale.verified_until}` : ""}`);
  const seen = weight !== null && weight !== undefined;
  setText("gross", seen ? kg(weight) : "——");
  setClass("weight", seen ? (scale.state === "moving" ? "weight moving" : "weight") : "weight none");
  byId("weight").dataset.none = `${word("no_live")} ${second("no_live")}`;
}

// Both bars run from the tare to a little beyond the limit.
function bar(prefix, view, gross) {
  const from = (view.visit && view.visit.tare_kg) || 0;
  const limit = view.limit ? view.limit.gross_max_kg : 0;
  const share = limit > from && gross !== null ? Math.max(0, ((gross - from) / (limit - from)) * ROOM) : 0;
  byId(prefix + "fill").style.width = `${Math.min(share, ROOM) * 100}%`;
  const over = Math.max(0, Math.min(1, share) - ROOM);
  const real = gross !== null && limit && gross > limit;
  byId(prefix + "over").style.width = real ? `${Math.max(over, 0.012) * 100}%` : "0";
  byId(prefix + "mark").style.left = `${ROOM * 100}%`;
}

function load(view, weight) {
  const { limit, visit, money } = view;
  const ticket = visit && visit.ticket;
  setHidden("ticketed", !ticket);
  setHidden("load", Boolean(ticket));
  if (ticket) {
    setText("ticket-name", `✓ ${word("ticket")} ${ticket}`);
    setText("ticket-what", `${pick(visit.state_words)}${visit.print_state ? ` · ${word("print_" + visit.print_state)}` : ""} · ${word("to_gate")}`);
    setText("ticket-second", `${pickOther(visit.state_words)} · ${second("to_gate")}`);
  }
  setClass("load", limit ? "load " + limit.verdict : "load idle");
  setText("tare-kg", visit && visit.tare_kg !== null ? kg(visit.tare_kg) : "—");
  setText("limit-kg", limit ? kg(limit.gross_max_kg) : "—");
  bar("", view, weight);
  const left = limit && weight !== null ? limit.left_kg : null;
  setText(byId("left-label").querySelector(".w"), word(left !== null && left < 0 ? "over_kg" : "left_kg"));
  setText(byId("left-label").querySelector(".s"), second(left !== null && left < 0 ? "over_kg" : "left_kg"));
  setText("left-kg", left === null ? "—" : kg(Math.abs(left)));
  setText("left-fen", money && money.left_fen !== null && weight !== null ? fen(money.left_fen) : "—");
  setText("limited", limit ? pick(limit.limited_by_words) : "—");
  setText("limited-2", limit ? pickOther(limit.limited_by_words) : "");
  const [kind, mark] = (left !== null && VERDICT[limit.verdict]) || ["", ""];
  setClass("verdict", "tag " + kind);
  setText("verdict", mark ? `${mark} ${word("verdict_" + limit.verdict)}` : "");
}

function hold(view, stale, weight) {
  const held = view.hold;
  setHidden("hold", !held);
  setHidden("weigh", Boolean(held));
  setHidden("main", Boolean(held));
  if (!held) return;
  const title = held.why.numbers.before ? "hold_swapped" : "hold_" + held.why.reason;
  const known = word(title) !== title;
  setText("hold-title", known ? word(title) : word("hold"));
  setText("hold-title-2", known ? second(title) : second("hold"));
  setText("hold-why", `${pick(held.why)} · ${word("held_since")} ${clock(held.since)}`);
  const gross = weight === null ? null : weight;
  const [kind, mark, key] = stale ? STEADY.lost : STEADY[view.scale.state] || STEADY.lost;
  setClass("hold-steady", "tag " + kind);
  setText("hold-steady", `${mark} ${word(key)}`);
  setText("hold-gross", gross === null ? "———" : kg(gross));
  setText("hold-limit", view.limit ? kg(view.limit.gross_max_kg) : "—");
  bar("hold-", view, held.gross_kg);
  setText("way-fen", fen(held.lacks_fen));
  setText("tell-plant", held.plant);
  setText("tell-account", held.account);
  setText("tell-fen", fen(held.lacks_fen));
  setText("way-amend", kg(held.over_kg));
  setText("way-kg", kg(held.over_kg));
  setText("way-plate", plate(String(held.why.numbers.seen || "")));
  for (const way of document.querySelectorAll(".way")) setHidden(way, !held.ways_out.includes(way.dataset.way));
}

function grey(button, no, reason) {
  const value = String(Boolean(no));
  if (button.getAttribute("aria-disabled") !== value) button.setAttribute("aria-disabled", value);
  if (reason) setText(reason, no ? pick(no) : "");
  button.title = no ? `${pick(no)} ${pickOther(no)}` : "";
}

function buttons(view, why, busy) {
  const action = mainAction(view), no = why(action), button = byId("main");
  const over = action.name === "load_complete" && view.limit && view.limit.verdict === "over";
  setClass(button, over ? "main over" : "main");
  grey(button, no, null);
  setText("main-label", busy ? word("sending") : word(action.name));
  setText("main-label-2", busy ? "" : second(action.name));
  setText("main-sub", no ? `✕ ${pick(no)}` : mainSub(view, action));
  for (const one of document.querySelectorAll("[data-action]")) {
    const found = view.actions.find((item) => item.name === one.dataset.action);
    grey(one, why(found || { name: one.dataset.action, enabled: false, why: { zh: "—", en: "—" } }), one.querySelector(".why"));
  }
}

function mainSub(view, action) {
  if (action.next) return `${plate(action.next.plate)} · ${action.next.customer_name}`;
  const { money, scale } = view;
  if (action.name === "load_complete" && view.limit && view.limit.verdict === "over") {
    return `✕ ${word("over_kg")} ${kg(Math.abs(view.limit.left_kg || 0))} kg · ${word("will_hold")}`;
  }
  if (action.name === "load_complete" && money && money.net_kg !== null && money.load_fen !== null) {
    return `${word("net_kg")} ${kg(money.net_kg)} kg · ¥ ${fen(money.load_fen)}`;
  }
  return action.name === "tare" && scale.gross_kg !== null ? `${kg(scale.gross_kg)} kg` : plate(view.visit && view.visit.plate);
}

function truck(view) {
  const visit = view.visit;
  setText("plate", visit ? plate(visit.plate) : word("no_truck"));
  setClass("plate", !visit ? "plate none" : visit.plate.length > 7 ? "plate green" : "plate");
  const mode = visit && word(visit.mode);
  setText("customer", visit ? visit.customer_name : "—");
  setText("goods", visit ? visit.product : "—");
  setText("notice", visit ? visit.notice : "—");
  setText("price", visit ? `${fen(visit.price_fen_per_t)} ${word("per_t")} · ${mode}` : "—");
  const carrier = visit && visit.carrier ? ` · ${word("carrier")} ${visit.carrier}` : "";
  setText("state", visit ? (visit.ticket ? visit.ticket : `${pick(visit.state_words)} · ${visit.axles} ${word("axles")}${carrier}`) : "—");
}

function money(view, weight) {
  const { money, hold } = view;
  const loaded = hold ? hold.amount_fen : money && weight !== null ? money.load_fen : null;
  const left = money && loaded !== null ? money.spendable_fen - loaded : null;
  setText("spendable", money ? `¥ ${fen(money.spendable_fen)}` : "—");
  setText("this-load", loaded !== null ? `\u2212 ¥ ${fen(loaded)}` : "—");
  setText("remains", left !== null ? `${left < 0 ? "✕ \u2212" : "= "}¥ ${fen(Math.abs(left))}` : "—");
  setClass("remains", left !== null && left < 0 ? "sum bad" : "sum");
}

function curve(view) {
  const points = view.curve_kg, limit = view.limit ? view.limit.gross_max_kg : 0;
  const top = Math.max(limit, 1, ...points) * 1.08;
  const y = (mass) => (39 - (Math.max(0, mass) / top) * 38).toFixed(1);
  const step = 100 / Math.max(1, points.length - 1);
  byId("curve-line").setAttribute("points", points.map((mass, at) => `${(at * step).toFixed(1)},${y(mass)}`).join(" "));
  const line = byId("curve-limit");
  line.setAttribute("y1", y(limit));
  line.setAttribute("y2", y(limit));
  line.setAttribute("visibility", limit ? "visible" : "hidden");
}

function laneName(lane) {
  const tab = document.querySelector(`.tabs a[href="/lane/${CSS.escape(lane)}"]`);
  return tab ? tab.firstChild.textContent.trim() : `${word("lane")} ${lane}`;
}

function queue(view, why, call) {
  const action = view.actions.find((one) => one.name === "call");
  const no = action ? why(action) : { zh: "", en: "" };
  setText("queue-count", view.queue.length ? `${view.queue.length} ${word(view.queue.length === 1 ? "truck" : "trucks")}` : word("queue_empty"));
  const rows = view.queue.map((entry) => [entry.visit, entry.number, entry.plate, entry.customer_name, entry.lane ? laneName(entry.lane) : `${entry.waiting_minutes} ${word("minutes")}`,
    entry.state === "queued" ? "" : pick(entry.state_words), Boolean(entry.lane), Boolean(no)]);
  setRows("queue", rows, ([visit, number, plateText, customer, when, state, served, greyed]) => {
    const row = make("li"), button = make("button", served ? "row served" : "row");
    button.append(make("b", "", String(number)), make("span", "plate-text", plate(plateText)), make("small", "", state || customer), make("i", "", when));
    button.setAttribute("aria-disabled", String(greyed || served));
    button.dataset.visit = visit;
    if (!served) button.append(make("em", "", word("call_it")));
    if (!served) button.addEventListener("click", () => { button.blur(); call(visit); });
    row.append(button);
    return row;
  });
}
