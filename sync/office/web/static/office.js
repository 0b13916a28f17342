// One event stream a page: every change fetches the live part again; rows that are new light up once.
"use strict";

const part = document.querySelector("[data-live]");
const stale = document.getElementById("stale");
let wanted = false;
let busy = false;

function keys() {
  return new Set([...part.querySelectorAll("tr[data-key]")].map((row) => row.dataset.key));
}

async function refresh() {
  wanted = true;
  if (busy || document.activeElement?.closest("[data-live] form")) return;
  busy = true;
  try {
    while (wanted) {
      wanted = false;
      const answer = await fetch(part.dataset.live, { headers: { accept: "text/html" } });
      if (answer.status === 401) {
        location.href = "/login";
        return;
      }
      if (!answer.ok) return;
      const before = keys();
      part.innerHTML = await answer.text();
      for (const row of part.querySelectorAll("tr[data-key]")) {
        if (!before.has(row.dataset.key)) row.classList.add("fresh");
      }
    }
  } finally {
    busy = false;
  }
}

if (part) {
  let first = true;
  const events = new EventSource("/live");
  events.addEventListener("change", () => {
    stale.hidden = true;
    if (first) first = false;
    else refresh();
  });
  events.addEventListener("open", () => {
    stale.hidden = true;
  });
  events.addEventListener("error", () => {
    stale.hidden = false;
    first = false;
  });
  part.addEventListener("focusout", () => setTimeout(() => wanted && refresh(), 100));
  setInterval(refresh, 30000);
}
