// Short lines that appear, are read aloud (the container is aria-live), and go.
import { byId, h } from "./dom.js";

const LIFETIME_MS = 7000;
const MOST = 3;

export function toast(message, kind = "info") {
  const region = byId("toasts");
  const line = h("p", { class: "toast", "data-testid": "toast", "data-kind": kind }, message);
  region.append(line);
  while (region.children.length > MOST) region.firstElementChild.remove();
  setTimeout(() => line.remove(), LIFETIME_MS);
}
