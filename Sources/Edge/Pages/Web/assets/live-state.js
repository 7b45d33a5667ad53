// The small sign that says whether the page follows live.
import { byId } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

let state = "offline";

function draw() {
  const sign = byId("live-state");
  sign.dataset.state = state;
  sign.dataset.text = t(`live.${state}`);
  sign.title = t(`live.${state}.long`);
  sign.firstElementChild.textContent = t(`live.${state}.long`);
}

export function showLiveState(next) {
  if (next === state && byId("live-state").dataset.text) return;
  state = next;
  draw();
}

onLanguage(draw);
