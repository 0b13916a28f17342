// The board for drivers: read from a cab, ten metres away.
import { boot, byId, follow, make, pick, plate, setHidden, setRows, setText, showClock, word } from "./core.js";

function show(view) {
  setText("plant", view.plant_name);
  setText("count", view.waiting.length);
  setHidden("none", view.serving.length > 0);
  setRows("serving", view.serving.slice(0, 4), (entry) => {
    const row = make("li", entry.state);
    row.append(make("b", "plate-text", plate(entry.plate)));
    const where = make("span", "where");
    where.append(make("em", "", word("board_go")), make("strong", "", entry.lane), make("em", "", word("board_lane")));
    row.append(where, make("small", "state", pick(entry.state_words)));
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
