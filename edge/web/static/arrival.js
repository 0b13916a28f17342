// Whose truck arrives: the open notices, those first that the entrance's camera may be seeing. A person taps.
import { byId, make, plate, post, setHidden, setRows, setText } from "./core.js";

const MOST = 60;
let seen = null;

// The picture that the person had before him; '' without one.
export const sighting = () => (seen && seen.look ? seen.look.picture : "");

export function suggest(notices) {
  const waiting = notices.filter((row) => row.state === "noticed");
  const show = () => {
    const likely = seen ? seen.plates : [];
    const first = likely.map((text) => waiting.find((row) => row.plate === text)).filter(Boolean);
    const rest = waiting.filter((row) => !likely.includes(row.plate));
    rows([...first, ...rest].slice(0, MOST), likely);
  };
  const look = async () => {
    seen = null;
    const answer = await post("/arrive/look");
    seen = answer.look ? answer : null;
    setHidden("sighting", !seen);
    if (!seen) return;
    setText("sighting-free", seen.look.free ? plate(seen.look.free) : "—");
    const key = seen.look.crop || seen.look.picture;
    setHidden("sighting-crop", !key);
    if (key) byId("sighting-crop").src = `/picture/${encodeURIComponent(key)}`;
    if (seen.sure && !byId("arrive-plate").value) byId("arrive-plate").value = seen.plates[0];
    show();
  };
  setHidden("sighting", true);
  byId("look-again").onclick = look;
  show();
  look();
}

function rows(notices, likely) {
  setRows("expected", notices.map((row) => [row.plate, row.customer_name, likely.includes(row.plate)]), ([text, customer, near]) => {
    const row = make("li"), button = make("button", near ? "button near" : "button");
    button.type = "button";
    button.append(make("b", "", plate(text)), make("small", "", customer));
    button.addEventListener("click", () => { byId("arrive-plate").value = text; });
    row.append(button);
    return row;
  });
}
