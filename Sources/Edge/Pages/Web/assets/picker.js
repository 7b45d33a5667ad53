// The open slots by day, with two buttons each, and the summary of what is picked.
import { byId, h, reconcile, set, text } from "./dom.js";
import { t } from "./i18n.js";
import { isOpen } from "./slots.js";
import { clock, dayLong, dayShort, range, slotLine } from "./time.js";

export const CHOICES = ["first", "second"];

export class Picker {
  #board;
  #day = "all";
  #onChange;

  /// What is picked: whole slots, so that they can be named after they are gone.
  picked = { first: null, second: null };

  constructor(board, onChange) {
    this.#board = board;
    this.#onChange = onChange;
    byId("slots").addEventListener("click", (event) => this.#press(event));
    byId("days").addEventListener("click", (event) => this.#filter(event));
    for (const choice of CHOICES) {
      document.querySelector(`[data-clear=${choice}]`)
        .addEventListener("click", () => this.#clear(choice));
    }
  }

  reset() {
    this.picked = { first: null, second: null };
    this.#day = "all";
  }

  /// Picked slots that can no longer be had.
  lost() {
    return CHOICES.map((choice) => this.picked[choice])
      .filter((slot) => slot && !this.#isStillOpen(slot));
  }

  #isStillOpen(slot) {
    const known = this.#board.get(slot.id);
    return known !== null && isOpen(known);
  }

  draw() {
    const days = this.#board.days();
    if (!days.some((day) => day.key === this.#day)) this.#day = "all";
    this.#drawFilter(days);
    const shown = days.filter((day) => this.#day === "all" || day.key === this.#day);
    reconcile(byId("slots"), shown, (day) => day.key, createDay, (node, day) => {
      const [first] = day.slots;
      text(node.firstElementChild, dayLong(first.start_time, first.time_zone));
      reconcile(node.lastElementChild, day.slots, (slot) => slot.id, createSlot,
        (element, slot) => this.#drawSlot(element, slot));
    });
    this.#drawSummary();
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

  #drawSlot(element, slot) {
    const open = isOpen(slot);
    set(element, "data-remaining", slot.slots_remaining);
    set(element, "data-demand", slot.demand ?? 0);
    set(element, "data-open", String(open));
    const before = element.dataset.version;
    if (before !== undefined && before !== String(slot.version)) flash(element);
    set(element, "data-version", slot.version);
    const [time, instructor, room, remaining, demand] = element.querySelectorAll("[data-part]");
    set(time, "datetime", slot.start_time);
    text(time, range(slot));
    text(instructor, slot.instructor?.name);
    text(room, slot.room?.name);
    text(remaining, remainingWords(slot, open));
    text(demand, slot.demand > 0 ? t("slot.demand", { count: slot.demand }) : "");
    const line = t("slot.group", {
      day: dayLong(slot.start_time, slot.time_zone),
      time: clock(slot.start_time, slot.time_zone),
      instructor: slot.instructor?.name ?? "", room: slot.room?.name ?? "",
    });
    for (const button of element.querySelectorAll("[data-choice]")) {
      const { choice } = button.dataset;
      const isPicked = this.picked[choice]?.id === slot.id;
      set(button, "aria-pressed", isPicked);
      set(button, "aria-label", t(`choice.${choice}.for`, { slot: line }));
      button.disabled = !open && !isPicked;
      text(button, t(`choice.${choice}`));
    }
    set(element, "data-picked", CHOICES.find((choice) => this.picked[choice]?.id === slot.id));
  }

  #drawSummary() {
    for (const choice of CHOICES) {
      const root = byId(`${choice}-choice`);
      const slot = this.picked[choice];
      const what = root.querySelector(".what");
      set(root, "data-slot-id", slot?.id ?? "");
      set(root, "data-open", slot ? String(this.#isStillOpen(slot)) : null);
      root.querySelector(".clear").hidden = slot === null;
      if (!slot) text(what, t("choice.none"));
      else {
        const gone = this.#isStillOpen(slot) ? null : h("em", {}, ` ${t("choice.gone")}`);
        what.replaceChildren(
          h("strong", {}, slotLine(slot)), h("span", {}, slot.instructor?.name ?? ""), gone ?? "");
      }
    }
  }

  #press(event) {
    const button = event.target.closest("[data-choice]");
    if (!button) return;
    const { choice } = button.dataset;
    const slot = this.#board.get(button.closest("[data-slot-id]").dataset.slotId);
    if (!slot) return;
    const other = CHOICES.find((one) => one !== choice);
    if (this.picked[choice]?.id === slot.id) this.picked[choice] = null;
    else {
      // The same slot cannot be both: picking it here moves it.
      if (this.picked[other]?.id === slot.id) this.picked[other] = this.picked[choice];
      this.picked[choice] = slot;
    }
    this.#changed();
  }

  #clear(choice) {
    this.picked[choice] = null;
    this.#changed();
    byId("choices-title").focus();
  }

  #filter(event) {
    const chip = event.target.closest("[data-day]");
    if (!chip) return;
    this.#day = chip.dataset.day;
    this.draw();
  }

  #changed() {
    this.draw();
    this.#onChange();
  }
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

function createSlot(slot) {
  return h("li", { class: "slot", "data-testid": "slot", "data-slot-id": slot.id },
    h("time", { class: "slot-time", "data-part": "time" }),
    h("span", { class: "slot-instructor", "data-part": "instructor" }),
    h("span", { class: "slot-room", "data-part": "room" }),
    h("span", { class: "slot-facts" },
      h("span", { class: "remaining", "data-part": "remaining", "data-testid": "remaining" }),
      h("span", { class: "demand", "data-part": "demand", "data-testid": "demand" })),
    h("span", { class: "slot-buttons" }, CHOICES.map((choice) =>
      h("button", { type: "button", class: `pick ${choice}`, "data-choice": choice }))));
}

function flash(element) {
  element.classList.remove("changed");
  void element.offsetWidth;
  element.classList.add("changed");
}
