// The board for drivers: read from a cab, ten metres away.
import { boot, byId, follow, kg, make, pick, plate, setHidden, setRows, setText, showClock, word } from "./core.js";

// What the driver wants to know: why the truck is held, or how much may still be loaded.
function told(entry) {
  const hold = pick(entry.hold);
  if (hold) return hold;
  if (entry.left_kg === null || entry.left_kg < 0) return pick(entry.state_words);
  return `${pick(entry.state_words)} · ${word("left_kg")} ${kg(entry.left_kg)} kg`;
}

function show(view) {
  setText("plant", view.plant_name);
  setText("count", view.waiting.length);
  setHidden("none", view.serving.length > 0);
  setRows("serving", view.serving.slice(0, 4), (entry) => {
    const row = make("li", entry.state);
    row.append(make("b", "plate-text", plate(entry.plate)));
    const where = make("span", "where");
    where.append(make("em", "", word("board_go")), make("strong", "", entry.lane), make("em", "", word("board_lane")));
    if (!entry.lane) where.replaceChildren();
    row.append(where, make("small", "state", told(entry)));
    return row;
  });
  setRows("waiting", view.waiting.slice(0, 12), (entry) => {
    const row = make("li");
    row.append(make("i", "", String(entry.number)), make("b", "plate-text", plate(entry.plate)), make("small", "", `${entry.waiting_minutes} ${word("minutes")}`));
    return row;
  });
}

show(boot.view);
showClock();
follow("queue", 0, show, (quiet) => setHidden("board-stale", !quiet));
