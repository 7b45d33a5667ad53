// The two questions that the staff is asked: why a request is rejected, and which other time.
import { byId, h, text } from "./dom.js";
import { t } from "./i18n.js";
import { isOpen } from "./slots.js";
import { dayKey, dayLong, range } from "./time.js";

for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close(""));
}

/// Opens a dialog; its answer when it closes, or null when it was left. Focus returns by itself.
function ask(dialog, answer) {
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "go" ? answer() : null);
    }, { once: true });
    dialog.showModal();
  });
}

export function askReason(name) {
  text(byId("reject-title"), t("reject.title", { name }));
  byId("reject-reason").value = "";
  return ask(byId("reject-dialog"), () => ({ reason: byId("reject-reason").value.trim() }));
}

/// One of `slots`, with a reason unless the slot is one of `choices`.
export function askSlot(name, slots, choices) {
  const dialog = byId("other-dialog");
  const form = dialog.querySelector("form");
  text(byId("other-title"), t("other.title", { name }));
  text(byId("other-error"), "");
  byId("other-reason").value = "";
  drawSlots(slots.filter(isOpen));
  const picked = () => form.querySelector("input[name=slot]:checked")?.value;
  form.onsubmit = (event) => {
    const reason = byId("other-reason").value.trim();
    const problem = !picked() ? "other.pick"
      : reason === "" && !choices.includes(picked()) ? "error.OVERRIDE_REASON_REQUIRED" : null;
    if (!problem) return;
    event.preventDefault();
    text(byId("other-error"), t(problem));
    if (picked()) byId("other-reason").focus();
  };
  return ask(dialog, () => ({
    slot: slots.find((slot) => slot.id === picked()),
    reason: byId("other-reason").value.trim(),
  }));
}

function drawSlots(slots) {
  const list = byId("other-slots");
  if (slots.length === 0) {
    list.replaceChildren(h("p", { class: "muted" }, t("other.none")));
    return;
  }
  const days = new Map();
  for (const slot of slots.toSorted((one, other) => one.start_time.localeCompare(other.start_time))) {
    const key = dayKey(slot.start_time, slot.time_zone);
    days.set(key, [...(days.get(key) ?? []), slot]);
  }
  list.replaceChildren(...[...days.values()].flatMap((day) => [
    h("h3", {}, dayLong(day[0].start_time, day[0].time_zone)),
    ...day.map((slot) => h("label",
      { class: "other-slot", "data-testid": "other-slot", "data-slot-id": slot.id },
      h("input", { type: "radio", name: "slot", value: slot.id }),
      h("strong", {}, range(slot)),
      h("span", {}, [slot.instructor?.name, slot.room?.name].filter(Boolean).join(" · ")),
      slot.demand > 0
        ? h("span", { class: "muted small" }, t("slot.demand", { count: slot.demand })) : null)),
  ]));
}
