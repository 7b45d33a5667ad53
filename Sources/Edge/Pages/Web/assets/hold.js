// A seat on a short lease: its countdown, longer or given back, and the contact that makes it a
// booking. The token that proves it stays in this tab.
import { ApiError, callPersistently, newKey } from "./api.js";
import { CheckedForm, isEmail, isTelephone, plainNumber } from "./checked-form.js";
import { byId, set, text } from "./dom.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";
import { money } from "./money.js";
import { secondsUntil } from "./server-time.js";
import { slotLine } from "./time.js";

const KEY = "janji.hold";
const HURRY_SECONDS = 60;

export class HoldPanel {
  /// `{ hold, token, slot, title }`, or null.
  #held = null;
  #form;
  #onEnd;
  #onBooked;
  #key = { content: null, key: null };
  #isBusy = false;

  /// `onEnd(slotId)` when the seat is not ours any more, `onBooked(answer)` when it is booked.
  constructor(onEnd, onBooked) {
    this.#onEnd = onEnd;
    this.#onBooked = onBooked;
    this.#form = new CheckedForm(
      byId("contact-form"), byId("form-error"), { email: isEmail, phone: isTelephone });
    byId("hold-extend").addEventListener("click", () => this.#extend());
    byId("hold-release").addEventListener("click", () => this.release());
    byId("contact-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#isBusy) this.#confirm();
    });
    setInterval(() => this.#tick(), 500);
  }

  get slotId() {
    return this.#held?.slot.id ?? null;
  }

  /// Takes a seat of the slot; a seat that is held already is given back first.
  async place(slot, title) {
    await this.release();
    const request = { slot_id: slot.id, quantity: 1, holder: visitor() };
    const { hold, token } = await callPersistently(
      "POST", "/api/bookings/holds", { ...request, idempotency_key: newKey() });
    this.#take({ hold, token, slot, title });
  }

  /// A seat that is held already, by a waiting list: `{ hold, token, slot, title }`.
  async adopt(held) {
    if (this.#held?.hold.id !== held.hold.id) await this.release();
    this.#take(held);
  }

  #take(held) {
    this.#show(held);
    byId("hold-title").focus();
  }

  /// What this tab held before it was loaded again.
  resume() {
    const held = remembered();
    if (held && left(held) > 0) this.#show(held);
    else forget();
  }

  async release() {
    const held = this.#held;
    if (!held) return;
    this.#end();
    try {
      await callPersistently(
        "POST", `/api/bookings/holds/${held.hold.id}/release`,
        { token: held.token, idempotency_key: newKey() });
    } catch {
      // It lapses by itself.
    }
    this.#onEnd(held.slot.id);
  }

  async #extend() {
    const held = this.#held;
    try {
      const { hold } = await callPersistently(
        "POST", `/api/bookings/holds/${held.hold.id}/extend`,
        { token: held.token, idempotency_key: newKey() });
      if (this.#held === held) this.#show({ ...held, hold });
    } catch (error) {
      this.#fail(error);
    }
  }

  async #confirm() {
    const held = this.#held;
    const problems = this.#form.check();
    if (problems > 0) {
      this.#form.showFormError(t("form.fix", { count: problems }), "HINTS");
      this.#form.focusFirstError();
      return;
    }
    const word = (name) => this.#form.word(name);
    const request = {
      token: held.token, full_name: word("full_name"), email: word("email"),
      phone: plainNumber(word("phone")), subject_name: word("subject_name"),
      subject_kind: word("subject_kind"), notes: word("notes"), consent: true,
    };
    this.#setBusy(true);
    try {
      const answer = await callPersistently(
        "POST", `/api/bookings/holds/${held.hold.id}/confirm`,
        { ...request, idempotency_key: this.#keyFor(JSON.stringify(request)) });
      this.#end();
      this.#onBooked(answer);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#setBusy(false);
    }
  }

  // One key for one content: a retry carries the same key, an edited form a new one.
  #keyFor(content) {
    if (this.#key.content !== content) this.#key = { content, key: newKey() };
    return this.#key.key;
  }

  #fail(error) {
    if (!(error instanceof ApiError)) throw error;
    const elsewhere = this.#form.showViolations(error.violations);
    const lines = elsewhere.map(({ field, description }) => `${field}: ${description}`);
    this.#form.showFormError([explain(error), ...lines].join(" "), error.code);
    this.#form.focusFirstError();
    if (["HOLD_EXPIRED", "HOLD_NOT_FOUND", "SLOT_UNAVAILABLE"].includes(error.code)) this.#lapse();
  }

  #show(held) {
    this.#held = held;
    remember(held);
    this.#form.clearErrors();
    byId("hold").hidden = false;
    this.draw();
  }

  #end() {
    this.#held = null;
    forget();
    this.#form.reset();
    byId("hold").hidden = true;
  }

  #lapse() {
    const held = this.#held;
    if (!held || held.isOver) return;
    held.isOver = true;
    forget();
    this.draw();
    this.#onEnd(held.slot.id);
  }

  draw() {
    const held = this.#held;
    if (!held) return;
    set(byId("hold"), "data-hold-id", held.hold.id);
    text(byId("hold-what"), `${held.title} · ${slotLine(held.slot)}`);
    text(byId("hold-price"),
      Number(held.hold.total) > 0 ? money(held.hold.total, held.hold.currency) : "");
    this.#form.redrawErrors();
    this.#tick();
  }

  #tick() {
    const held = this.#held;
    if (!held) return;
    const seconds = held.isOver ? 0 : Math.max(0, Math.ceil(left(held)));
    if (seconds === 0 && !held.isOver) this.#lapse();
    set(byId("hold"), "data-state", held.isOver ? "expired" : "pending");
    set(byId("hold"), "data-hurry", String(seconds <= HURRY_SECONDS));
    set(byId("hold-clock"), "data-seconds", seconds);
    text(byId("hold-clock"), `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
    text(byId("hold-words"), t(held.isOver ? "hold.over"
      : seconds <= HURRY_SECONDS ? "hold.hurry" : "hold.yours"));
    byId("hold-extend").hidden = held.isOver || !(held.hold.extensions_left > 0);
    byId("hold-release").hidden = held.isOver;
    byId("submit").disabled = held.isOver;
  }

  #setBusy(next) {
    this.#isBusy = next;
    byId("submit").setAttribute("aria-disabled", String(next));
    text(byId("submit"), t(next ? "form.sending" : "book.submit"));
  }
}

const left = (held) => secondsUntil(held.hold.expires_at);

// Storage may be forbidden; the page then forgets, and works.
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function remember(held) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(held));
  } catch {
    // Only the memory is lost.
  }
}

function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

/// Who holds: one browser, known to nobody else.
function visitor() {
  try {
    const known = localStorage.getItem("janji.visitor");
    if (known) return known;
    const made = newKey();
    localStorage.setItem("janji.visitor", made);
    return made;
  } catch {
    return newKey();
  }
}
