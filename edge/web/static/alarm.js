// Alarms of the scale watch: a strip that stands until a person has looked, with the weight curve about what was found.
import { ask, byId, clock, kg, pick, pickOther, plate, setHidden, setText, word } from "./core.js";

const FLAT_KG = 100; // a curve that moves less is drawn as flat as it was

export function showWatch(view, greyed) {
  const [newest] = view.scale_alarms, more = view.scale_alarm_count - 1;
  setHidden("watch", !newest);
  setHidden("watch-chip", !newest);
  document.body.classList.toggle("watched", Boolean(newest));
  if (!newest) return;
  setText("watch-count", view.scale_alarm_count);
  setText("watch-words", pick(newest.words));
  setText("watch-second", pickOther(newest.words));
  setText("watch-about", `${about(newest)} · ${extent(newest)}`);
  setText("watch-more", more > 0 ? ` +${more}` : "");
  draw("watch-curve", newest.curve_kg);
  const button = byId("watch-see");
  button.setAttribute("aria-disabled", String(Boolean(greyed)));
  button.title = greyed ? `${pick(greyed)} ${pickOther(greyed)}` : "";
}

// Answers what to send, or nothing when the person went back.
export async function askSeen(alarm) {
  setText("alarm-words", pick(alarm.words));
  setText("alarm-second", pickOther(alarm.words));
  setText("alarm-about", `${about(alarm)} · ${extent(alarm)}`);
  draw("alarm-curve", alarm.curve_kg);
  byId("alarm-note").value = "";
  return (await ask("ask-alarm")) ? { alarm: alarm.alarm, note: byId("alarm-note").value } : null;
}

const about = (alarm) => [clock(alarm.at), alarm.plate ? plate(alarm.plate) : "", alarm.visit].filter(Boolean).join(" · ");

function extent(alarm) {
  const points = alarm.curve_kg;
  if (!points.length) return word("no_live");
  const seconds = Math.floor((points.length * alarm.curve_step_ms) / 1000); // as head office says it
  return `${kg(Math.min(...points))} – ${kg(Math.max(...points))} kg · ${seconds} s`;
}

function draw(id, points) {
  const low = Math.min(...points), high = Math.max(...points), room = Math.max(high - low, FLAT_KG);
  const step = 100 / Math.max(1, points.length - 1);
  const y = (mass) => (37 - ((mass - low + (room - (high - low)) / 2) / room) * 34).toFixed(1);
  const line = points.map((mass, at) => `${(at * step).toFixed(1)},${y(mass)}`).join(" ");
  const node = byId(id).firstElementChild;
  if (node.getAttribute("points") !== line) node.setAttribute("points", line);
}
