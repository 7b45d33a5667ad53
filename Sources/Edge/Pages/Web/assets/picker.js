// The two choices: a button for each at every open slot, and the summary of what is picked.
import { DayList } from "./daylist.js";
import { byId, h, set, text } from "./dom.js";
import { t } from "./i18n.js";
import { isOpen } from "./slots.js";
import { slotLine } from "./time.js";

export const CHOICES = ["first", "second"];

export class Picker {
  #board;
  #list;
  #onChange;

  /// What is picked: whole slots, so that they can be named after they are gone.
  picked = { first: null, second: null };

  constructor(board, onChange) {
    this.#board = board;
    this.#onChange = onChange;
    this.#list = new DayList(
      board,
      () => CHOICES.map((choice) =>
        h("button", { type: "button", class: `pick ${choice}`, "data-choice": choice })),
      (element, slot, line) => this.#drawButtons(element, slot, line));
    byId("slots").addEventListener("click", (event) => this.#press(event));
    for (const choice of CHOICES) {
      document.querySelector(`[data-clear=${choice}]`)
        .addEventListener("click", () => this.#clear(choice));
    }
  }

  reset() {
    this.picked = { first: null, second: null };
    this.#list.reset();
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
    this.#list.draw();
    this.#drawSummary();
  }

  #drawButtons(element, slot, line) {
    for (const button of element.querySelectorAll("[data-choice]")) {
      const { choice } = button.dataset;
      const isPicked = this.picked[choice]?.id === slot.id;
      set(button, "aria-pressed", isPicked);
      set(button, "aria-label", t(`choice.${choice}.for`, { slot: line }));
      button.disabled = !isOpen(slot) && !isPicked;
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

  #changed() {
    this.draw();
    this.#onChange();
  }
}
