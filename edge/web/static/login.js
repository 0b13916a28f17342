// Big keys for a finger; a keyboard works as well.
const pin = document.getElementById("pin");
const keys = document.getElementById("keys");
keys.hidden = false;
keys.addEventListener("click", (event) => {
  const key = event.target.closest("button")?.dataset.key;
  if (!key) return;
  if (key === "clear") pin.value = "";
  else if (key === "back") pin.value = pin.value.slice(0, -1);
  else pin.value += key;
});
for (const radio of document.querySelectorAll("input[name=person]")) radio.addEventListener("change", () => { pin.value = ""; pin.focus(); });
