// The day of a location: every slot with who holds it and who comes; check-in by the code.
import { call, callPersistently, newKey } from "./api.js";
import { byId, h, reconcile, set, text } from "./dom.js";
import { whoOf } from "./daylist.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";
import { money } from "./money.js";
import { serverNow } from "./server-time.js";
import { clock, dayKey, dayLong, range } from "./time.js";
import { toast } from "./toast.js";

const DEFAULT_ZONE = "Asia/Jakarta";

export class Desk {
  #locations = [];
  #day = null;
  #slots = [];
  #asOf = null;
  #problem = null;
  #openCase;
  #isOver;

  /// `openCase(bookingId)` shows one booking; `isOver(error)` says that the session has ended.
  constructor(openCase, isOver) {
    this.#openCase = openCase;
    this.#isOver = isOver;
    byId("desk-location").addEventListener("change", () => this.#move(0));
    byId("desk-date").addEventListener("change", (event) => {
      if (event.target.value) this.#day = event.target.value;
      this.load();
    });
    for (const button of document.querySelectorAll("[data-days]")) {
      button.addEventListener("click", () => this.#move(Number(button.dataset.days)));
    }
    byId("desk").addEventListener("click", (event) => {
      const button = event.target.closest("[data-case]");
      if (button) this.#openCase(button.dataset.case);
    });
    byId("check-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#checkIn();
    });
  }

  async begin() {
    try {
      const { locations } = await call("GET", "/api/locations");
      this.#locations = locations ?? [];
    } catch (error) {
      if (this.#isOver(error)) return;
      this.#locations = [];
    }
    const select = byId("desk-location");
    select.replaceChildren(
      ...this.#locations.map(({ id, name }) => h("option", { value: id }, name)),
      h("option", { value: "", "data-i18n": "desk.elsewhere" }, t("desk.elsewhere")));
    this.#move(0);
  }

  end() {
    this.#slots = [];
    this.draw();
  }

  get #zone() {
    const chosen = byId("desk-location").value;
    return this.#locations.find(({ id }) => id === chosen)?.time_zone ?? DEFAULT_ZONE;
  }

  #move(days) {
    const from = this.#day ?? dayKey(serverNow(), this.#zone);
    this.#day = new Date(Date.parse(`${from}T00:00:00Z`) + days * 86_400_000)
      .toISOString().slice(0, 10);
    byId("desk-date").value = this.#day;
    this.load();
  }

  async load() {
    if (!this.#day) return;
    const query = new URLSearchParams({ date: this.#day });
    if (byId("desk-location").value) query.set("location_id", byId("desk-location").value);
    const wanted = String(query);
    this.wanted = wanted;
    try {
      const answer = await call("GET", `/api/booking/admin/day?${query}`);
      if (this.wanted !== wanted) return;
      this.#slots = answer.slots ?? [];
      this.#asOf = answer.as_of;
      this.#problem = null;
    } catch (error) {
      if (this.#isOver(error) || this.wanted !== wanted) return;
      this.#problem = error;
    }
    byId("desk").setAttribute("aria-busy", "false");
    this.draw();
  }

  draw() {
    reconcile(byId("desk"), this.#slots, ({ slot }) => slot.id, createSlot,
      (element, item) => drawSlot(element, item));
    text(byId("desk-note"), this.#problem ? explain(this.#problem)
      : this.#slots.length === 0 ? t("desk.none") : "");
    text(byId("desk-title-day"), this.#day ? dayLong(`${this.#day}T12:00:00Z`, "UTC") : "");
    set(byId("desk"), "data-as-of", this.#asOf);
  }

  async #checkIn() {
    const input = byId("check-in-token");
    const token = input.value.trim();
    if (!token) return;
    try {
      const { booking, slot } = await callPersistently(
        "POST", "/api/bookings/check-in", { token, idempotency_key: newKey() });
      input.value = "";
      toast(t("desk.checked-in", { time: slot ? range(slot) : booking.id }));
      this.load();
    } catch (error) {
      if (!this.#isOver(error)) toast(explain(error), "warn");
    }
    input.focus();
  }
}

function createSlot({ slot }) {
  return h("li", { class: "desk-slot", "data-testid": "desk-slot", "data-slot-id": slot.id },
    h("time", { class: "slot-time" }), h("span", { class: "desk-what" }),
    h("span", { class: "desk-seats" }), h("ul", { class: "desk-people" }));
}

function createPerson({ key, hold, person }) {
  if (hold) return h("li", { class: "desk-hold", "data-testid": "desk-hold", "data-hold-id": key });
  if (person) {
    return h("li", { class: "desk-hold", "data-testid": "desk-waiting", "data-entry-id": key });
  }
  return h("li", {}, h("button", {
    type: "button", class: "desk-booking", "data-testid": "desk-booking", "data-case": key,
  }));
}

function drawWaiting(row, { entry, full_name, email }, slot) {
  set(row, "data-status", entry.status);
  const name = [full_name, email].filter(Boolean).join(" · ");
  text(row, entry.status === "offered"
    ? t("desk.offered", { until: clock(entry.offer_expires_at, slot.time_zone), name })
    : t("desk.waiting", { place: entry.place, name }));
}

function drawSlot(element, { slot, holds, bookings, waiting }) {
  const [time, what, seats, people] = element.children;
  set(element, "data-status", slot.status);
  set(element, "data-holds", (holds ?? []).length);
  text(time, range(slot));
  text(what, [slot.course_title, whoOf(slot), slot.room?.name].filter(Boolean).join(" · "));
  text(seats, t("desk.seats", { taken: slot.capacity - slot.slots_remaining, capacity: slot.capacity }));
  const rows = [
    ...(bookings ?? []).map((item) => ({ key: item.booking.id, item })),
    ...(holds ?? []).map((hold) => ({ key: hold.id, hold })),
    ...(waiting ?? []).map((person) => ({ key: person.entry.id, person })),
  ];
  reconcile(people, rows, ({ key }) => key, createPerson, (row, { item, hold, person }) => {
    if (person) {
      drawWaiting(row, person, slot);
      return;
    }
    if (hold) {
      text(row, t("desk.hold", {
        count: hold.quantity, until: clock(hold.expires_at, slot.time_zone),
      }));
      return;
    }
    const { booking, contact } = item;
    const button = row.firstElementChild;
    set(button, "data-status", booking.status);
    set(button, "data-payment-status", booking.payment_status);
    text(button, [
      contact?.full_name ?? t("desk.request"), contact?.subject_name,
      t(`status.${booking.status}`),
      Number(booking.final_amount) > 0
        ? `${money(booking.final_amount, booking.currency)} ${t(`payment.${booking.payment_status}`)}`
        : null,
    ].filter(Boolean).join(" · "));
  });
}
