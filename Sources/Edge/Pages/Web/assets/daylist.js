// Slots by the local day of their place, with a filter of days.
import { byId, h, reconcile, set, text } from "./dom.js";
import { t } from "./i18n.js";
import { money } from "./money.js";
import { isOpen } from "./slots.js";
import { clock, dayLong, dayShort, range } from "./time.js";

export class DayList {
  #board;
  #day = "all";
  #buttons;
  #drawButtons;

  /// `buttons(slot)` makes what can be pressed in a slot, `drawButtons(element, slot, line)` keeps
  /// it true; `line` names the slot for screen readers.
  constructor(board, buttons, drawButtons) {
    this.#board = board;
    this.#buttons = buttons;
    this.#drawButtons = drawButtons;
    byId("days").addEventListener("click", (event) => this.#filter(event));
  }

  reset() {
    this.#day = "all";
  }

  draw() {
    const days = this.#board.days();
    if (!days.some((day) => day.key === this.#day)) this.#day = "all";
    this.#drawFilter(days);
    const shown = days.filter((day) => this.#day === "all" || day.key === this.#day);
    reconcile(byId("slots"), shown, (day) => day.key, createDay, (node, day) => {
      const [first] = day.slots;
      text(node.firstElementChild, dayLong(first.start_time, first.time_zone));
      reconcile(node.lastElementChild, day.slots, (slot) => slot.id,
        (slot) => this.#createSlot(slot), (element, slot) => this.#drawSlot(element, slot));
    });
  }

  #drawFilter(days) {
    const chips = days.length > 1 ? [{ key: "all" }, ...days] : [];
    reconcile(byId("days"), chips, (day) => day.key,
      (day) => h("button", { type: "button", class: "chip", "data-day": day.key }),
      (chip, day) => {
        const first = day.slots?.[0];
        text(chip, first ? dayShort(first.start_time, first.time_zone) : t("slots.all"));
        set(chip, "aria-pressed", day.key === this.#day);
      });
  }

  #filter(event) {
    const chip = event.target.closest("[data-day]");
    if (!chip) return;
    this.#day = chip.dataset.day;
    this.draw();
  }

  #createSlot(slot) {
    return h("li", { class: "slot", "data-testid": "slot", "data-slot-id": slot.id },
      h("time", { class: "slot-time", "data-part": "time" }),
      h("span", { class: "slot-instructor", "data-part": "instructor" }),
      h("span", { class: "slot-room", "data-part": "room" }),
      h("span", { class: "slot-facts" },
        h("span", { class: "remaining", "data-part": "remaining", "data-testid": "remaining" }),
        h("span", { class: "demand", "data-part": "demand", "data-testid": "demand" }),
        h("span", { "data-part": "price", "data-testid": "slot-price" })),
      h("span", { class: "slot-buttons" }, this.#buttons(slot)));
  }

  #drawSlot(element, slot) {
    const open = isOpen(slot);
    set(element, "data-remaining", slot.slots_remaining);
    set(element, "data-demand", slot.demand ?? 0);
    set(element, "data-open", String(open));
    const before = element.dataset.version;
    if (before !== undefined && before !== String(slot.version)) flash(element);
    set(element, "data-version", slot.version);
    const [time, who, where, remaining, demand, price] = element.querySelectorAll("[data-part]");
    set(time, "datetime", slot.start_time);
    text(time, range(slot));
    text(who, whoOf(slot));
    text(where, slot.room?.name);
    text(remaining, remainingWords(slot, open));
    text(demand, slot.demand > 0 ? t("slot.demand", { count: slot.demand }) : "");
    text(price, Number(slot.price) > 0 ? money(slot.price, slot.currency) : "");
    const line = t("slot.group", {
      day: dayLong(slot.start_time, slot.time_zone),
      time: clock(slot.start_time, slot.time_zone),
      instructor: whoOf(slot), room: slot.room?.name ?? "",
    });
    this.#drawButtons(element, slot, line);
  }
}

/// Who serves: the instructor, or the other resources by name.
export function whoOf(slot) {
  if (slot.instructor?.name) return slot.instructor.name;
  return (slot.resources ?? []).filter((one) => one.kind !== "room").map((one) => one.name)
    .join(", ");
}

function remainingWords(slot, open) {
  if (!open) return t("slot.full");
  if (slot.capacity === 1) return t("slot.single");
  return t("slot.remaining", { count: slot.slots_remaining, capacity: slot.capacity });
}

function createDay(day) {
  const id = `day-${day.key}`;
  return h("section", { class: "day", "data-testid": "day", "data-day": day.key, "aria-labelledby": id },
    h("h3", { id }), h("ul", { class: "slots" }));
}

function flash(element) {
  element.classList.remove("changed");
  void element.offsetWidth;
  element.classList.add("changed");
}
