// Payments that wait for a person: proofs to look at, refunds to make by hand.
import { call, callPersistently, newKey } from "./api.js";
import { byId, h, reconcile, set, text } from "./dom.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";
import { money } from "./money.js";
import { relative } from "./time.js";
import { toast } from "./toast.js";

export class Review {
  #items = [];
  #openCase;
  #isOver;

  constructor(openCase, isOver) {
    this.#openCase = openCase;
    this.#isOver = isOver;
    byId("review").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      const row = button?.closest("[data-key]");
      const item = row && this.#items.find(({ key }) => key === row.dataset.key);
      if (!item) return;
      if (button.dataset.case) this.#openCase(button.dataset.case);
      else this.#decide(item, button.dataset.decision === "yes", row);
    });
  }

  async load() {
    try {
      const { proofs, refunds } = await call("GET", "/api/booking/admin/payments/open");
      this.#items = [
        ...(proofs ?? []).map((one) => ({ key: one.id, kind: "proof", one })),
        ...(refunds ?? []).map((one) => ({ key: one.id, kind: "refund", one })),
      ];
    } catch (error) {
      if (this.#isOver(error)) return;
      this.#items = [];
    }
    this.draw();
  }

  end() {
    this.#items = [];
    this.draw();
  }

  draw() {
    byId("review-section").hidden = this.#items.length === 0;
    text(byId("review-count"), String(this.#items.length));
    reconcile(byId("review"), this.#items, ({ key }) => key, createRow, drawRow);
  }

  async #decide({ kind, one }, isGood, row) {
    const reason = row.querySelector("input").value.trim();
    const [path, body] = kind === "proof"
      ? [`/api/booking/admin/payments/${one.id}/review`, { approve: isGood, reason }]
      : [`/api/booking/admin/refunds/${one.id}/settle`, { completed: isGood, reason }];
    try {
      await callPersistently("POST", path, { ...body, idempotency_key: newKey() });
      toast(t(`review.${kind}.${isGood ? "yes" : "no"}.done`));
    } catch (error) {
      if (this.#isOver(error)) return;
      toast([explain(error), error.violations[0]?.description].filter(Boolean).join(" "), "warn");
    }
    await this.load();
  }
}

function createRow({ key, kind, one }) {
  return h("li", { class: "row card", "data-testid": `review-${kind}`, "data-key": key },
    h("div", { class: "row-head" }, h("strong", { class: "name" }), h("span", { class: "when muted small" })),
    kind === "proof" ? h("a", { target: "_blank", rel: "noopener", href: `/api/booking/admin/payments/${one.id}/proof` }) : null,
    h("div", { class: "row-foot" },
      h("input", { maxlength: "500" }),
      h("span", { class: "buttons" },
        h("button", { type: "button", class: "button quiet", "data-case": one.booking_id }),
        h("button", { type: "button", class: "button danger", "data-decision": "no" }),
        h("button", { type: "button", class: "button primary", "data-decision": "yes" }))));
}

function drawRow(row, { kind, one }) {
  text(row.querySelector(".name"), `${t(`review.${kind}`)} ${money(one.amount, one.currency)}`);
  text(row.querySelector(".when"), relative(one.created_at ?? one.requested_at));
  const link = row.querySelector("a");
  if (link) text(link, t("review.look"));
  set(row.querySelector("input"), "aria-label", t("review.reason"));
  set(row.querySelector("input"), "placeholder", t("review.reason"));
  text(row.querySelector("[data-case]"), t("admin.booking"));
  text(row.querySelector("[data-decision=no]"), t(`review.${kind}.no`));
  text(row.querySelector("[data-decision=yes]"), t(`review.${kind}.yes`));
}
