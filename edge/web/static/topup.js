// The top-up code: a scanner types all of it and presses Enter; a person types it line by line and presses the button.
import { byId, make, pick, pickOther, setText, word } from "./core.js";

const LINE = 21;
const BLANK = /[\s\u2009-]/;
// A scanner's keys come faster than anybody types.
const SCANNED_KEYS = 12, SCANNED_MS = 900;

const plain = (text) => [...text].filter((character) => !BLANK.test(character)).length;

// Asks until a code was taken, or the person gives up. Answers what the plant said to the code that was taken.
export function askCode(take) {
  const dialog = byId("ask-topup"), field = byId("topup-code");
  const keys = [];
  let busy = false, taken = null;

  const count = () => {
    const size = plain(field.value), line = Math.floor(size / LINE) + 1;
    setText("topup-count", size ? `${word("topup_line")} ${line} · ${size % LINE}/${LINE} ${word("topup_of")}` : "");
  };
  const say = (words) => byId("topup-said").replaceChildren(...(words ? [`✕ ${pick(words)} `, make("small", "", pickOther(words))] : []));
  const submit = async () => {
    if (busy || !plain(field.value)) return;
    busy = true;
    const answer = await take(field.value.replace(/\s+/g, " "));
    busy = false;
    if (answer.ok) {
      taken = answer;
      return dialog.close("yes");
    }
    say(answer.why);
    mark(field, Number(answer.why.numbers && answer.why.numbers.line));
  };
  const key = (event) => {
    const now = performance.now();
    if (event.key === "Enter" && keys.length >= SCANNED_KEYS && now - keys[keys.length - SCANNED_KEYS] < SCANNED_MS) {
      event.preventDefault();
      submit();
    }
    if (event.key.length === 1) keys.push(now);
  };
  const press = (event) => {
    event.preventDefault();
    submit();
  };

  field.value = "";
  say(null);
  count();
  const ears = new AbortController(), heard = { signal: ears.signal };
  field.addEventListener("input", count, heard);
  field.addEventListener("keydown", key, heard);
  byId("topup-take").addEventListener("click", press, heard);
  dialog.returnValue = "";
  dialog.showModal();
  field.focus();
  return new Promise((done) => dialog.addEventListener("close", () => {
    ears.abort();
    document.activeElement.blur();
    done(taken);
  }, { once: true }));
}

// Selects the line that is wrong; without one the field is ready for the next scan.
function mark(field, line) {
  field.focus();
  if (!line) return field.select();
  let from = -1, to = field.value.length, seen = 0;
  for (let at = 0; at < field.value.length; at += 1) {
    if (BLANK.test(field.value[at])) continue;
    if (seen === (line - 1) * LINE) from = at;
    seen += 1;
    if (seen === line * LINE) { to = at + 1; break; }
  }
  field.setSelectionRange(from < 0 ? to : from, to);
}
