// One booking as the staff sees it: the person, the ledger, every transition, what can be done.
import { call, callPersistently, findSlots, newKey } from "./api.js";
import { askSlot } from "./dialogs.js";
import { byId, h, set, text } from "./dom.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";
import { money } from "./money.js";
import { secondsUntil } from "./server-time.js";
import { moment, slotLine } from "./time.js";
import { toast } from "./toast.js";

export class Case {
  #id = null;
  #known = null;
  #ledger = null;
  #onChange;
  #isOver;

  constructor(onChange, isOver) {
    this.#onChange = onChange;
    this.#isOver = isOver;
    byId("case-dialog").addEventListener("click", (event) => {
      const action = event.target.closest("[data-case-action]")?.dataset.caseAction;
      if (action) this.#act(action);
    });
  }

  async open(id) {
    this.#id = id;
    byId("case-reason").value = "";
    byId("case-amount").value = "";
    byId("case-reference").value = "";
    this.#say("");
    await this.load();
    if (!byId("case-dialog").open) byId("case-dialog").showModal();
  }

  /// Fresh while it is open.
  async refresh() {
    if (byId("case-dialog").open) await this.load();
  }

  async load() {
    const id = this.#id;
    try {
      const [known, ledger] = await Promise.all([
        call("GET", `/api/booking/admin/bookings/${id}`),
        call("GET", `/api/booking/admin/bookings/${id}/payments`),
      ]);
      if (id !== this.#id) return;
      this.#known = known;
      this.#ledger = ledger;
      this.draw();
    } catch (error) {
      if (!this.#isOver(error)) this.#say(explain(error), error.code);
    }
  }

  draw() {
    if (!this.#known) return;
    const { booking, slot, contact, applicant, history } = this.#known;
    set(byId("case-dialog"), "data-booking-id", booking.id);
    set(byId("case-dialog"), "data-status", booking.status);
    set(byId("case-dialog"), "data-payment-status", booking.payment_status);
    text(byId("case-title"), this.#name);
    text(byId("case-state"), `${t(`status.${booking.status}`)} · ${t(`payment.${booking.payment_status}`)}`);
    byId("case-facts").replaceChildren(...facts(booking, slot, contact ?? applicant));
    this.#drawLedger();
    byId("case-history").replaceChildren(...(history ?? []).map((entry) => h("li",
      { "data-testid": "history-entry", "data-to": entry.to },
      h("time", { datetime: entry.at }, moment(entry.at, slot?.time_zone)),
      h("span", {}, `${t(`status.${entry.to}`)} · ${entry.action} · ${entry.actor}`),
      entry.reason ? h("em", {}, entry.reason) : null)));
    const can = {
      complete: booking.status === "in_progress",
      "no-show": booking.status === "confirmed" && slot && secondsUntil(slot.start_time) < 0,
      reschedule: booking.status === "confirmed" && Boolean(slot),
      cancel: ["pending", "pending_payment", "confirmed"].includes(booking.status),
      refund: Number(this.#ledger?.charged ?? 0)
        > Number(this.#ledger?.refunded ?? 0) + Number(this.#ledger?.refund_due ?? 0),
      pay: this.#due > 0,
    };
    for (const [action, isPossible] of Object.entries(can)) {
      document.querySelector(`[data-case-action=${action}]`).hidden = !isPossible;
    }
    byId("case-amount-field").hidden = !can.refund;
    byId("case-desk").hidden = !can.pay;
    set(byId("case-desk"), "data-due", can.pay ? String(this.#due) : null);
    text(byId("case-due"), can.pay ? `${t("case.due")} ${money(this.#due, booking.currency)}` : "");
  }

  get #name() {
    const { booking, contact, applicant } = this.#known;
    return contact?.full_name ?? applicant?.full_name ?? booking.id;
  }

  /// What the booking still costs, in minor units.
  get #due() {
    const { booking } = this.#known;
    if (["cancelled", "rejected", "expired", "rescheduled"].includes(booking.status)) return 0;
    if (!["not_required", "pending", "failed"].includes(booking.payment_status)) return 0;
    const { charged, refunded, refund_due } = this.#ledger ?? {};
    return Number(booking.final_amount ?? 0) - Number(charged ?? 0) + Number(refunded ?? 0)
      + Number(refund_due ?? 0);
  }

  #drawLedger() {
    const { payments, refunds, currency } = this.#ledger ?? {};
    const line = (kind, one) => h("li",
      { "data-testid": kind, "data-status": one.status },
      h("strong", {}, `${kind === "refund" ? "−" : "+"}${money(one.amount, one.currency || currency)}`),
      h("span", {}, [
        one.provider === "desk" && one.method ? t(`desk-method.${one.method}`) : one.provider,
        t(`ledger.${one.status}`), one.failure || one.reason || one.reference,
      ].filter(Boolean).join(" · ")));
    byId("case-ledger").replaceChildren(
      ...(payments ?? []).map((one) => line("payment", one)),
      ...(refunds ?? []).map((one) => line("refund", one)));
  }

  async #act(action) {
    const { booking } = this.#known;
    try {
      const request = await this.#request(action, booking);
      if (!request) return;
      const [path, body] = request;
      const answer = await callPersistently("POST", path, { ...body, idempotency_key: newKey() });
      // Another booking takes the place of one that moves.
      if (action === "reschedule") this.#id = answer.booking.id;
      this.#say("");
      toast(t(`case.${action}.done`));
    } catch (error) {
      if (this.#isOver(error)) return;
      this.#say([explain(error), error.violations[0]?.description].filter(Boolean).join(" "), error.code);
    }
    await this.load();
    this.#onChange();
  }

  /// Path and body; null when nothing was chosen.
  async #request(action, booking) {
    const reason = byId("case-reason").value.trim();
    const amount = byId("case-amount").value.trim();
    switch (action) {
      case "refund": return [`/api/bookings/${booking.id}/refunds`,
        { reason, ...(amount === "" ? {} : { amount: Math.round(Number(amount)) }) }];
      case "pay": return [`/api/bookings/${booking.id}/payments/desk`, {
        method: byId("case-method").value, reference: byId("case-reference").value.trim(),
        amount: this.#due,
      }];
      case "reschedule": {
        const slots = (await findSlots(booking.course_id))
          .filter(({ id }) => id !== this.#known.slot.id);
        const answer = await askSlot(this.#name, slots, slots.map(({ id }) => id));
        return answer?.slot && [`/api/booking/${booking.id}/reschedule`, {
          schedule_id: answer.slot.id, reason: answer.reason, if_version: booking.version,
        }];
      }
      default: return [`/api/booking/${booking.id}/${action}`, { reason, if_version: booking.version }];
    }
  }

  #say(words, code = null) {
    const box = byId("case-error");
    box.hidden = words === "";
    set(box, "data-code", code);
    text(box, words);
  }
}

function facts(booking, slot, person) {
  const rows = [];
  const add = (key, value) => value && rows.push(h("dt", {}, t(key)), h("dd", {}, value));
  add("booking.when", slot && slotLine(slot));
  add("field.email", person?.email);
  add("field.phone", person?.phone ?? person?.guardian_wa_number);
  add("field.subject_name", [person?.subject_name, person?.subject_kind].filter(Boolean).join(", "));
  add("field.notes", person?.notes);
  if (Number(booking.final_amount) > 0) add("booking.price", money(booking.final_amount, booking.currency));
  add("booking.archived", booking.archived_at && moment(booking.archived_at, slot?.time_zone));
  add("result.id", h("code", {}, booking.id));
  return rows;
}
