// A plate as a camera saw it, for a person who compares: the close-up, what was read, what is claimed, the nearest.
import { byId, make, plate, setHidden, setText, word } from "./core.js";

// The characters of a plate, those that differ marked. Nobody should have to look for the one that is another.
export function marked(text, against) {
  const other = against || text;
  return [...text].map((letter, at) => {
    const node = make("i", letter === other[at] ? "" : "differs", letter);
    if (at === 1) node.classList.add("office");
    return node;
  });
}

const keys = new Map();
function image(id, key) {
  const node = byId(id), path = key ? `/picture/${encodeURIComponent(key)}` : "";
  if (keys.get(id) === path) return;
  keys.set(id, path);
  setHidden(node, !path);
  if (path) node.src = path;
}

// Fills the panel `name`: its crop, the two plates under each other, the nearest expected ones.
const shown = new Map();
export function showPlate(name, look, claimed) {
  image(`${name}-crop`, look.crop || look.picture);
  setHidden(`${name}-no-crop`, Boolean(look.crop || look.picture));
  const key = JSON.stringify([look, claimed]);
  if (shown.get(name) === key) return;
  shown.set(name, key);
  byId(`${name}-claimed`).replaceChildren(...marked(claimed, look.free));
  byId(`${name}-free`).replaceChildren(...marked(look.free || "—", look.free ? claimed : ""));
  setText(`${name}-sure`, look.free ? `${Math.floor(look.confidence_permille / 10)}%` : "");
  byId(`${name}-near`).replaceChildren(...look.nearest.map((near) => {
    const row = make("li", near.plate === claimed ? "claimed" : "");
    row.append(make("b", "", plate(near.plate)), make("span", "", near.behind_milli ? `\u2212${(near.behind_milli / 1000).toFixed(1)}` : word("plate_same")));
    return row;
  }));
}

export function watchImages(names) {
  for (const name of names) {
    byId(`${name}-crop`).addEventListener("error", () => { setHidden(`${name}-crop`, true); setHidden(`${name}-no-crop`, false); });
  }
}
