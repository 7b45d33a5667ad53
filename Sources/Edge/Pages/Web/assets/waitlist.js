// Waiting for a time that is full: the line to join, the place in it, the offer with its countdown
// and the claim. The tokens that open the entries stay in this browser.
import { call, callPersistently, newKey } from "./api.js";
import { byId, h, reconcile, set, text } from "./dom.js";
import { whoOf } from "./daylist.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";
import { coalesced } from "./live.js";
import { secondsUntil } from "./server-time.js";
import { slotLine } from "./time.js";
import { toast } from "./toast.js";

const KEY = "janji.waiting";
const POLL_MS = 15_000;
const RETRY_MS = 3000;

export class WaitingList {
  /// `{ token, sight }`, the sight as GetWaitlistEntry tells it; null until it is known.
  #entries = remembered().map((token) => ({ token, sight: null }));
  #full = [];
  #course = null;
  #wanted = null;
  #askedAt = 0;
  #onClaim;

  /// `onClaim({ hold, token, slot, title })` when an offer has become a hold.
  constructor(onClaim) {
    this.#onClaim = onClaim;
    byId("full-slots").addEventListener("click", (event) => {
      const button = event.target.closest("[data-action=wait]");
      if (button) this.#ask(button.closest("[data-slot-id]").dataset.slotId);
    });
    byId("waiting-list").addEventListener("click", (event) => {
      const button = event.target.closest("[data-action]");
      if (button) this.#act(button);
    });
    byId("wait-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#join();
    });
    byId("wait-close").addEventListener("click", () => byId("wait-dialog").close());
    setInterval(() => this.#tick(), 500);
    setInterval(() => this.#entries.length > 0 && !document.hidden && this.refresh(), POLL_MS);
    this.refresh();
  }

  /// The full times of a course, and how the entries stand.
  async load(course) {
    this.#course = course;
    this.refresh();
    try {
      const query = new URLSearchParams({ course_id: course.id });
      const { slots } = await call("GET", `/api/booking/availability/full-slots?${query}`);
      if (this.#course === course) this.#full = slots ?? [];
    } catch {
      // The open times say what is wrong.
    }
    this.draw();
  }

  /// A live message: something has moved in a line that we stand in.
  onMessage(message) {
    if (this.#entries.some(({ sight }) => sight?.slot?.id === message.slot_id)) this.refresh();
  }

  refresh = coalesced(() => this.#look(), { delay: 0, jitter: 150 });

  async #look() {
    for (const entry of [...this.#entries]) {
      try {
        entry.sight = await call("GET", path(entry.token));
        const { status } = entry.sight.entry;
        // What was claimed is a hold, and gone with it.
        if (status === "left" || (status === "claimed" && !entry.sight.hold)) this.#drop(entry);
      } catch (error) {
        if (error.code === "WAITLIST_ENTRY_NOT_FOUND") this.#drop(entry);
      }
    }
    this.draw();
  }

  #drop(entry) {
    this.#entries = this.#entries.filter((other) => other !== entry);
    remember(this.#entries);
  }

  // --- Joining

  #ask(id) {
    const slot = this.#full.find((one) => one.id === id);
    this.#wanted = { slot, key: newKey() };
    text(byId("wait-what"), `${slot.course_title} · ${slotLine(slot)}`);
    text(byId("wait-error"), "");
    byId("wait-dialog").showModal();
  }

  async #join() {
    const { slot, key } = this.#wanted;
    const form = new FormData(byId("wait-form"));
    const word = (name) => String(form.get(name) ?? "").trim();
    byId("wait-submit").disabled = true;
    try {
      const answer = await callPersistently("POST", "/api/bookings/waitlist", {
        slot_id: slot.id, quantity: 1, full_name: word("full_name"), email: word("email"),
        consent: form.get("consent") === "on", idempotency_key: key,
      });
      this.#entries.push({ token: answer.token, sight: answer });
      remember(this.#entries);
      byId("wait-dialog").close();
      this.draw();
      byId("waiting-title").focus();
    } catch (error) {
      // Another form is another request.
      if (!error.isTransient) this.#wanted.key = newKey();
      set(byId("wait-error"), "data-code", error.code);
      text(byId("wait-error"), explain(error));
    } finally {
      byId("wait-submit").disabled = false;
    }
  }

  // --- What can be done with a place

  async #act(button) {
    const { token } = button.closest("[data-testid=waiting-entry]").dataset;
    const entry = this.#entries.find((one) => one.token === token);
    button.disabled = true;
    try {
      if (button.dataset.action === "claim") await this.#claim(entry);
      else if (button.dataset.action === "leave") await this.#leave(entry);
      else this.#drop(entry);
    } catch (error) {
      toast(explain(error), "warn");
      this.refresh();
    }
    button.disabled = false;
    this.draw();
  }

  async #claim(entry) {
    const answer = await callPersistently(
      "POST", path(entry.token, "/claim"), { idempotency_key: newKey() });
    const { slot } = entry.sight;
    entry.sight = { ...entry.sight, entry: answer.entry, hold: answer.hold };
    this.#onClaim({ hold: answer.hold, token: answer.hold_token, slot, title: slot.course_title });
  }

  async #leave(entry) {
    await callPersistently("POST", path(entry.token, "/leave"), { idempotency_key: newKey() });
    this.#drop(entry);
  }

  // --- Drawing

  draw() {
    const shown = this.#entries.filter(({ sight }) => sight);
    byId("waiting").hidden = shown.length === 0;
    reconcile(byId("waiting-list"), shown, ({ token }) => token, createEntry, drawEntry);
    const waiting = new Set(shown.filter(({ sight }) => isLive(sight.entry))
      .map(({ sight }) => sight.slot.id));
    const full = this.#full.filter(({ id }) => !waiting.has(id));
    byId("full").hidden = full.length === 0;
    reconcile(byId("full-slots"), full, ({ id }) => id, createFull, drawFull);
  }

  #tick() {
    for (const { token, sight } of this.#entries) {
      if (sight?.entry.status !== "offered") continue;
      const element = byId("waiting-list").querySelector(`[data-token="${CSS.escape(token)}"]`);
      if (element) drawClock(element, sight.entry);
      // The offer may end a moment later at the server: not too often.
      if (secondsLeft(sight.entry) > 0 || Date.now() - this.#askedAt < RETRY_MS) continue;
      this.#askedAt = Date.now();
      this.refresh();
    }
  }
}

const path = (token, rest = "") => `/api/bookings/waitlist/${encodeURIComponent(token)}${rest}`;

const isLive = ({ status }) => ["waiting", "offered", "claimed"].includes(status);

const secondsLeft = (entry) =>
  Math.max(0, Math.ceil(secondsUntil(entry.offer_expires_at)));

function createEntry({ token }) {
  return h("li", { class: "waiting-entry", "data-testid": "waiting-entry", "data-token": token },
    h("strong", {}), h("span", { class: "waiting-words", role: "status" }),
    h("span", { class: "hold-clock", "aria-hidden": "true" }),
    h("span", { class: "buttons" },
      h("button", { type: "button", class: "button primary", "data-action": "claim" }),
      h("button", { type: "button", class: "button quiet" })));
}

function drawEntry(element, { sight: { entry, slot } }) {
  const [what, words, time, buttons] = element.children;
  const [claim, end] = buttons.children;
  set(element, "data-entry-id", entry.id);
  set(element, "data-status", entry.status);
  set(element, "data-place", entry.place);
  text(what, `${slot.course_title} · ${slotLine(slot)}`);
  text(words, t(`wait.${entry.status}`, { place: entry.place }));
  claim.hidden = !["offered", "claimed"].includes(entry.status);
  text(claim, t(entry.status === "claimed" ? "wait.continue" : "wait.claim"));
  const canLeave = ["waiting", "offered"].includes(entry.status);
  set(end, "data-action", canLeave ? "leave" : "dismiss");
  end.hidden = entry.status === "claimed";
  text(end, t(canLeave ? "wait.leave" : "wait.dismiss"));
  time.hidden = entry.status !== "offered";
  if (!time.hidden) drawClock(element, entry);
}

function drawClock(element, entry) {
  const seconds = secondsLeft(entry);
  const time = element.querySelector(".hold-clock");
  set(time, "data-seconds", seconds);
  text(time, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
}

function createFull(slot) {
  return h("li", { class: "slot", "data-testid": "full-slot", "data-slot-id": slot.id },
    h("time", { class: "slot-time", datetime: slot.start_time }),
    h("span", { class: "slot-instructor" }),
    h("span", { class: "slot-buttons" },
      h("button", { type: "button", class: "pick", "data-action": "wait" })));
}

function drawFull(element, slot) {
  const [time, who, { firstElementChild: button }] = element.children;
  text(time, slotLine(slot));
  text(who, whoOf(slot));
  text(button, t("wait.join"));
  set(button, "aria-label", t("wait.join.for", { slot: slotLine(slot) }));
}

// Storage may be forbidden; the page then forgets, and works.
function remembered() {
  try {
    const tokens = JSON.parse(localStorage.getItem(KEY)) ?? [];
    return Array.isArray(tokens) ? tokens.filter((token) => typeof token === "string") : [];
  } catch {
    return [];
  }
}

function remember(entries) {
  try {
    localStorage.setItem(KEY, JSON.stringify(entries.map(({ token }) => token)));
  } catch {
    // Only the memory is lost.
  }
}
