// The student's page: course, times, form, request (A-01 … ).
import { ApiError, callPersistently, newKey } from "./api.js";
import { Captcha } from "./captcha.js";
import { byId, text } from "./dom.js";
import { explain } from "./errors.js";
import { checked as form, drawDays, readForm } from "./form.js";
import { onLanguage, startLanguages, t } from "./i18n.js";
import { Offers } from "./offers.js";
import { CHOICES, Picker } from "./picker.js";
import { Proof } from "./proof.js";
import { drawResult } from "./result.js";
import { slotLine } from "./time.js";
import { toast } from "./toast.js";

const offers = new Offers(
  "request", { choose: "slots.choose", none: "course.none", full: "slots.none" }, {
    onChoose: () => {
      picker.reset();
      form.clearErrors();
      hideWarning();
    },
    onDraw: () => picker.draw(),
    onMessage: follow,
    beforeChange: () => {
      const before = picker.lost();
      return () => tellLost(before);
    },
  });
const picker = new Picker(offers.board, () => hideWarning());
const captcha = new Captcha();
const proof = new Proof(byId("payment_proof"), () => captcha.take());
let outcome = null;

function tellLost(before) {
  for (const slot of picker.lost()) {
    if (!before.some((one) => one.id === slot.id)) {
      toast(t("choice.lost", { slot: slotLine(slot) }), "warn");
    }
  }
}

/// The request that was sent from here is confirmed elsewhere.
function follow(message) {
  const id = message.booking?.id ?? message.booking_id ?? message.bookingId;
  if (message.type !== "booking.confirmed" || !outcome || id !== outcome.booking.id) return;
  outcome.booking = { ...outcome.booking, status: "confirmed" };
  drawResult(outcome, another);
  toast(t("result.confirmed"));
}

// --- Sending

// One key for one content: a retry carries the same key, an edited form a new one.
let attempt = { content: null, key: null };

function keyFor(content) {
  if (attempt.content !== content) attempt = { content, key: newKey() };
  return attempt.key;
}

async function submit({ isSure }) {
  const course = offers.chosen;
  hideWarning();
  const problems = form.check();
  if (!course) {
    form.showFormError(t("form.course"), "COURSE_NOT_CHOSEN");
    byId("form-error").focus();
    return;
  }
  if (problems > 0) {
    form.showFormError(t("form.fix", { count: problems }), "HINTS");
    form.focusFirstError();
    return;
  }
  if (captcha.isMissing) {
    form.showFormError(t("form.captcha"), "CAPTCHA_FAILED");
    byId("form-error").focus();
    return;
  }
  setBusy(true);
  try {
    if (!isSure && await shouldWarn()) return;
    await send(course);
  } finally {
    setBusy(false);
  }
}

/// Looks once more whether the choices are open; a failed look warns of nothing.
async function shouldWarn() {
  if (CHOICES.every((choice) => picker.picked[choice] === null)) {
    return warn(t("warning.none"));
  }
  const isFresh = await offers.fetch();
  const lost = isFresh ? picker.lost() : [];
  return lost.length > 0 && warn(t("warning.gone", { slots: lost.map(slotLine).join("; ") }));
}

async function send(course) {
  const picked = { first: picker.picked.first, second: picker.picked.second };
  const known = { course, picked, warnings: [], isDuplicate: false };
  try {
    const request = {
      ...readForm(),
      course_id: course.id,
      first_choice_slot_id: picked.first?.id ?? null,
      second_choice_slot_id: picked.second?.id ?? null,
      payment_proof: await proof.id(),
    };
    const idempotency_key = keyFor(JSON.stringify(request));
    const captcha_token = await captcha.take();
    const data = await callPersistently(
      "POST", "/api/booking/register-course", { ...request, captcha_token, idempotency_key });
    succeed({ ...known, ...data, warnings: data.warnings ?? [] });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const original = error.code === "DUPLICATE_REQUEST"
      ? error.detail("OriginalBooking") ?? error.details.find((one) => one?.booking)
      : null;
    if (original?.booking) succeed({ ...known, ...original, isDuplicate: true });
    else fail(error);
  }
}

function succeed(next) {
  outcome = next;
  attempt = { content: null, key: null };
  proof.forget();
  drawResult(outcome, another);
  byId("flow").hidden = true;
  document.querySelector(".hero").hidden = true;
  byId("result").hidden = false;
  scrollTo(0, 0);
  byId("result").focus();
}

function another() {
  outcome = null;
  form.reset();
  picker.reset();
  byId("result").hidden = true;
  byId("flow").hidden = false;
  document.querySelector(".hero").hidden = false;
  offers.draw();
  offers.refetch();
  byId("course").querySelector("input:checked")?.focus();
}

const fieldOfCode = {
  CONSENT_REQUIRED: "consent", INVALID_WA_NUMBER: "guardian_wa_number",
  UNSUPPORTED_MEDIA_TYPE: "payment_proof", PAYLOAD_TOO_LARGE: "payment_proof",
};

function fail(error) {
  if (error.code === "IDEMPOTENCY_KEY_REUSED") attempt = { content: null, key: null };
  if (error.violations.some(({ field }) => field === "payment_proof")) proof.forget();
  const known = fieldOfCode[error.code];
  const violations = error.violations.length > 0 || !known
    ? error.violations : [{ field: known, description: explain(error) }];
  const elsewhere = form.showViolations(violations);
  const lines = elsewhere.map(({ field, description }) => `${field}: ${description}`);
  form.showFormError([explain(error), ...lines].join(" "), error.code);
  if (error.code === "SLOT_NOT_FOUND") offers.refetch();
  form.focusFirstError();
}

function warn(words) {
  const box = byId("choice-warning");
  text(box.firstElementChild, words);
  box.hidden = false;
  box.focus();
  return true;
}

function hideWarning() {
  byId("choice-warning").hidden = true;
}

let isBusy = false;

function setBusy(next) {
  isBusy = next;
  for (const button of [byId("submit"), byId("send-anyway")]) {
    button.setAttribute("aria-disabled", String(next));
  }
  byId("register-form").setAttribute("aria-busy", String(next));
  text(byId("submit"), t(next ? "form.sending" : "form.submit"));
}

byId("register-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isBusy) submit({ isSure: false });
});
byId("send-anyway").addEventListener("click", () => {
  if (!isBusy) submit({ isSure: true });
});
// A plain link would put its own name where the course's code stands in the address.
document.querySelector(".go").addEventListener("click", (event) => {
  event.preventDefault();
  byId("form-title").scrollIntoView();
  byId("form-title").focus({ preventScroll: true });
});
byId("choose-again").addEventListener("click", () => {
  hideWarning();
  byId("slots-title").scrollIntoView();
  byId("slots").querySelector("[data-choice]:not(:disabled)")?.focus({ preventScroll: true });
});

onLanguage(() => {
  document.title = t("title.register");
  drawDays();
  form.redrawErrors();
  if (outcome) drawResult(outcome, another);
  offers.redraw();
});
startLanguages();
// Without its script nobody can register: the server says so, and the page tries again when loaded.
captcha.start().catch(() => form.showFormError(t("form.captcha.failed"), "CAPTCHA_FAILED"));
offers.start();
