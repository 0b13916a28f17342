// The top-up code: a scanner types all of it and presses Enter; a person types it line by line and presses the button.
import { byId, make, pick, pickOther, second, setText, word } from "./core.js";

const LINE = 21;
const BLANK = /[\s\u2009-]/;
// A scanner's keys come faster than anybody types.
const SCANNED_KEYS = 12, SCANNED_MS = 900;

// Where the characters of the code stand in the field: blanks do not count, nor do line numbers, when all lines have theirs.
function places(text) {
  const found = [];
  let start = 0, number = 0, numbered = true;
  for (const line of text.split("\n")) {
    if (line.trim()) {
      number += 1;
      const told = /^\s*(\d{1,2})[.:)、]?\s+/.exec(line);
      if (!told || Number(told[1]) !== number) numbered = false;
      found.push({ start, line, skip: told ? told[0].length : 0 });
    }
    start += line.length + 1;
  }
  return found.flatMap(({ start, line, skip }) => [...line].map((_, at) => at).filter((at) => !BLANK.test(line[at]) && (!numbered || at >= skip)).map((at) => start + at));
}

// Asks until a code was taken, or the person gives up. Answers what the plant said to the code that was taken.
export function askCode(take) {
  const dialog = byId("ask-topup"), field = byId("topup-code");
  const keys = [];
  let busy = false, taken = null;

  const count = () => {
    const size = places(field.value).length, line = Math.floor(size / LINE) + 1;
    setText("topup-count", size ? `${word("topup_line")} ${line} · ${size % LINE}/${LINE} ${word("topup_of")}` : "");
  };
  const say = (words) => byId("topup-said").replaceChildren(...(words ? [`✕ ${pick(words)} `, make("small", "", pickOther(words))] : []));
  const submit = async () => {
    if (busy) return;
    const code = places(field.value).map((at) => field.value[at]).join("");
    if (!code) {
      byId("topup-said").replaceChildren(`✕ ${word("topup_empty")} `, make("small", "", second("topup_empty")));
      return field.focus();
    }
    busy = true;
    const answer = await take(code);
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
  const at = places(field.value), first = (line - 1) * LINE;
  const from = at.length > first ? at[first] : field.value.length;
  const to = at.length > first ? at[Math.min(at.length, first + LINE) - 1] + 1 : field.value.length;
  // How high the text is up to the end of that line: it is scrolled to, whole.
  const whole = field.value;
  field.value = whole.slice(0, to);
  const bottom = field.scrollHeight;
  field.value = whole;
  field.setSelectionRange(from, to);
  field.scrollTop = Math.max(0, bottom - field.clientHeight);
}
