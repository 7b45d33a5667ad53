// What the student sees after sending: the booking, pending until the school answers.
import { byId, h, set } from "./dom.js";
import { t } from "./i18n.js";
import { moment, slotLine } from "./time.js";

/// `outcome`: { booking, manage_token, course, picked, warnings, isDuplicate }.
export function drawResult(
  { booking, manage_token: link, course, picked, warnings, isDuplicate }, onAnother) {
  const root = byId("result");
  const isConfirmed = booking.status === "confirmed";
  const title = isConfirmed ? "result.confirmed" : isDuplicate ? "result.duplicate" : "result.title";
  set(root, "data-booking-id", booking.id);
  set(root, "data-status", booking.status);
  root.replaceChildren(
    h("span", { class: "seal", "aria-hidden": "true" }, "✓"),
    h("h2", { id: "result-title" }, t(title)),
    h("p", {}, t(isConfirmed ? "result.confirmed.text" : "result.text")),
    ...warnings.length ? [h("p", { class: "notice warn", "data-testid": "warning" }, t("result.warning"))] : [],
    h("dl", { class: "facts" },
      fact("result.course", `${course.title} (${course.code})`),
      picked.first ? fact("choice.first", slotWords(picked.first)) : [],
      picked.second ? fact("choice.second", slotWords(picked.second)) : [],
      isConfirmed ? [] : fact("result.expires", h("time",
        { "data-testid": "expires-at", datetime: booking.expires_at },
        moment(booking.expires_at, course.time_zone))),
      fact("result.id", h("code", { "data-testid": "booking-id" }, booking.id))),
    ...link ? [h("p", {}, h("a",
      { class: "button primary", id: "manage-link", href: `/booking#${encodeURIComponent(link)}` },
      t("result.manage"))), h("p", { class: "muted small" }, t("result.manage.text"))] : [],
    h("button", { type: "button", class: "button", id: "register-another", onclick: onAnother },
      t("result.another")));
}

const slotWords = (slot) => [slotLine(slot), slot.instructor?.name].filter(Boolean).join(" · ");

const fact = (key, value) => [h("dt", {}, t(key)), h("dd", {}, value)];
