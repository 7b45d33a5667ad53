// One request in a queue: the applicant, both choices, what can be done, what is in the way.
import { h, set, text } from "./dom.js";
import { t } from "./i18n.js";
import { relative, slotLine, weekdays } from "./time.js";

export const applicantName = (item) => item.applicant?.full_name || item.booking.id.slice(0, 8);

export function createRow(item) {
  return h("li", { class: "row card", "data-testid": "pending-row", "data-booking-id": item.booking.id },
    h("div", { class: "row-head" },
      h("h3", { class: "name", "data-testid": "applicant" }),
      h("span", { class: "course-chip" }),
      h("span", { class: "when muted small" })),
    h("div", { class: "choices" }, createChoice("first"), createChoice("second")),
    h("p", { class: "row-error error", "data-testid": "row-error", role: "alert" }),
    h("div", { class: "conflict-place", "aria-live": "assertive" }),
    h("div", { class: "row-foot" },
      h("details", { class: "more" }, h("summary", {}), h("dl", { class: "facts" })),
      h("div", { class: "buttons" },
        action("assign-other"), action("reject", "danger quiet"), action("confirm"))));
}

const action = (name, kind = "") =>
  h("button", { type: "button", class: `button ${kind}`, "data-action": name });

function createChoice(choice) {
  return h("div", { class: `tile ${choice}`, "data-testid": "choice", "data-choice": choice },
    h("span", { class: "badge" }),
    h("span", { class: "tile-time" }),
    h("span", { class: "tile-who muted small" }),
    h("span", { class: "tile-facts small" }, h("span", { class: "free" }), h("span", { class: "others" })),
    action(`assign-${choice}`, "primary"));
}

/// `state`: { isBusy, error: { code, words } | null, conflict: { code, details } | null }.
export function updateRow(row, item, state) {
  const { booking } = item;
  const name = applicantName(item);
  const isPending = booking.status === "pending";
  set(row, "data-status", booking.status);
  set(row, "data-version", booking.version);
  set(row, "data-needs-slot", String(booking.needs_slot));
  set(row, "aria-busy", state.isBusy);
  text(row.querySelector(".name"), name);
  text(row.querySelector(".course-chip"), [item.course_title, item.course_code].filter(Boolean).join(" · "));
  const when = isPending
    ? [t("admin.asked", { when: relative(booking.created_at) }), t("admin.expires", { when: relative(booking.expires_at) })]
    : [t("admin.confirmed", { when: relative(booking.confirmed_at ?? booking.created_at) }),
      item.overdue ? t("admin.overdue") : null].filter(Boolean);
  set(row, "data-overdue", String(item.overdue ?? false));
  text(row.querySelector(".when"), when.join(" · "));
  updateChoice(row, "first", item.first_choice, isPending, name);
  updateChoice(row, "second", item.second_choice, isPending, name);
  label(row, "confirm", t("action.confirm"), t("action.confirm.for", { name }), isPending);
  label(row, "reject", t("action.reject"), t("action.reject.for", { name }), isPending);
  label(row, "assign-other", t("action.other"), t("action.other.for", { name }), !isPending);
  for (const button of row.querySelectorAll("[data-action]")) set(button, "aria-disabled", state.isBusy || null);
  updateDetails(row, item);
  const error = row.querySelector(".row-error");
  set(error, "data-code", state.error?.code);
  text(error, state.error?.words());
  set(row, "data-choices-gone", String(item.choices_gone ?? false));
  updateConflict(row.querySelector(".conflict-place"), state.conflict ?? goneOf(item), state.isBusy);
}

function label(row, name, words, full, isShown) {
  const button = row.querySelector(`[data-action=${name}]`);
  text(button, words);
  set(button, "aria-label", full);
  button.hidden = !isShown;
}

function updateChoice(row, name, choice, isPending, applicant) {
  const tile = row.querySelector(`.tile.${name}`);
  const slot = choice?.slot ?? null;
  set(tile, "data-slot-id", slot?.id ?? "");
  set(tile, "data-available", slot ? String(choice.available) : null);
  set(tile, "data-others", slot ? choice.others : null);
  text(tile.querySelector(".badge"), t(`choice.${name}.short`));
  text(tile.querySelector(".tile-time"), slot ? slotLine(slot) : t("admin.no-choice"));
  text(tile.querySelector(".tile-who"),
    slot ? [slot.instructor?.name, slot.room?.name].filter(Boolean).join(" · ") : "");
  text(tile.querySelector(".free"), slot ? freeWords(choice) : "");
  text(tile.querySelector(".others"), !slot ? ""
    : choice.others > 0 ? t("admin.others", { count: choice.others }) : t("admin.alone"));
  label(tile, `assign-${name}`, t(isPending ? "action.confirm-first" : "action.assign"),
    t(`action.${isPending ? "confirm" : "assign"}-${name}.for`, { name: applicant }), slot !== null);
}

function freeWords({ slot, available }) {
  if (!available) return t("admin.taken");
  if (slot.capacity <= 1) return t("admin.free");
  return t("slot.remaining", { count: slot.slots_remaining, capacity: slot.capacity });
}

function updateDetails(row, { booking, applicant }) {
  text(row.querySelector("summary"), t("admin.details"));
  const person = applicant ?? {};
  const wa = String(person.guardian_wa_number ?? "");
  const days = new Map(weekdays());
  const range = person.preferred_time_range;
  const prefers = [
    (person.preferred_days ?? []).map((day) => days.get(day) ?? day).join(", "),
    range?.start ? `${range.start} – ${range.end}` : "",
  ].filter(Boolean).join(" · ");
  const facts = [
    ["field.email", person.email ? h("a", { href: `mailto:${person.email}` }, person.email) : null],
    ["admin.guardian", person.guardian_name],
    ["admin.whatsapp", /^\+\d+$/.test(wa)
      ? h("a", { href: `https://wa.me/${wa.slice(1)}`, rel: "noreferrer", target: "_blank" }, wa) : wa],
    ["admin.birth", person.birth_date],
    ["admin.school", [person.school, person.class ? t("admin.grade", { class: person.class }) : ""]
      .filter(Boolean).join(", ")],
    ["field.experience_level", experience(person.experience_level)],
    ["admin.prefers", prefers],
    ["admin.proof", person.payment_proof
      ? h("a", { href: person.payment_proof, rel: "noreferrer", target: "_blank" }, t("review.look"))
      : null],
    ["admin.booking", h("code", {}, booking.id)],
  ];
  const list = row.querySelector("dl");
  const print = JSON.stringify([document.documentElement.lang, applicant]);
  if (list.dataset.print === print) return;
  list.dataset.print = print;
  list.replaceChildren(...facts.filter(([, value]) => value)
    .flatMap(([key, value]) => [h("dt", {}, t(key)), h("dd", {}, value)]));
}

function experience(level) {
  return ["beginner", "intermediate", "advanced"].includes(level) ? t(`experience.${level}`) : level;
}

/// What can be offered to a request whose choices others have been given.
export const goneOf = (item) => (item.choices_gone
  ? { code: "CHOICES_GONE", details: { alternatives: item.alternatives ?? [] } } : null);

const drawn = new WeakMap();

function updateConflict(place, conflict, isBusy) {
  const print = conflict && JSON.stringify([document.documentElement.lang, conflict]);
  if ((drawn.get(place) ?? null) !== print) {
    drawn.set(place, print);
    place.replaceChildren(...conflict ? [conflictPanel(conflict)] : []);
  }
  for (const button of place.querySelectorAll("button")) set(button, "aria-disabled", isBusy || null);
}

function conflictPanel({ code, details }) {
  const conflicts = details?.conflicts ?? [];
  const alternatives = (details?.alternatives ?? []).slice(0, 3);
  const zone = alternatives[0]?.time_zone ?? "Asia/Jakarta";
  const isGone = code === "CHOICES_GONE";
  return h("div", {
    class: `conflict notice ${isGone ? "warn" : "bad"}`, "data-code": code, tabindex: "-1",
    "data-testid": isGone ? "choices-gone" : "conflict",
  },
    h("strong", {}, t(isGone ? "conflict.gone" : "conflict.title")),
    isGone ? null : h("ul", {}, conflicts.length > 0
      ? conflicts.map((one) => h("li", { "data-testid": "conflict-item" }, conflictWords(one, zone)))
      : h("li", { "data-testid": "conflict-item" }, t("conflict.full"))),
    alternatives.length === 0 ? h("p", {}, t("conflict.none")) : [
      h("strong", {}, t("conflict.alternatives")),
      h("div", { class: "alternatives" }, alternatives.map((slot) =>
        h("button", {
          type: "button", class: "button alternative", "data-testid": "alternative",
          "data-slot-id": slot.id,
        }, h("span", {}, slotLine(slot)),
        h("span", { class: "muted small" }, [slot.instructor?.name, slot.room?.name].filter(Boolean).join(" · "))))),
      h("label", { class: "field" }, h("span", { class: "label" }, t("other.reason")),
        h("input", { "data-field": "conflict-reason", maxlength: 500, value: t("conflict.reason") })),
    ],
    isGone ? null : h(
      "button", { type: "button", class: "button quiet close", "data-action": "close-conflict" },
      t("conflict.close")));
}

function conflictWords(conflict, zone) {
  const kind = ["instructor", "room"].includes(conflict.resource_kind)
    ? t(`conflict.${conflict.resource_kind}`) : conflict.resource_kind;
  const time = slotLine({ ...conflict, time_zone: zone });
  return t("conflict.line", { name: conflict.resource?.name ?? "", kind, time });
}
