// The student's page: course, times, form, request (A-01 … ).
import { ApiError, callPersistently, findCourses, findSlots, newKey } from "./api.js";
import { Captcha } from "./captcha.js";
import { Courses } from "./courses.js";
import { byId, text } from "./dom.js";
import { explain } from "./errors.js";
import { checked as form, drawDays, readForm } from "./form.js";
import { onLanguage, startLanguages, t } from "./i18n.js";
import { showLiveState } from "./live-state.js";
import { coalesced, Live } from "./live.js";
import { CHOICES, Picker } from "./picker.js";
import { Proof } from "./proof.js";
import { drawResult } from "./result.js";
import { changesIn, demandIn, isOpen, SlotBoard } from "./slots.js";
import { slotLine, zoneName } from "./time.js";
import { toast } from "./toast.js";

const board = new SlotBoard();
const picker = new Picker(board, () => hideWarning());
const captcha = new Captcha();
const proof = new Proof(byId("payment_proof"), () => captcha.take());
const courses = new Courses(byId("course"), (course) => choose(course));
let courseProblem = null;
let slotsProblem = null;
let isLoading = false;
let outcome = null;

// --- Courses and slots

async function loadCourses() {
  try {
    const list = await findCourses("request");
    courses.show(list);
    const unknown = courses.chooseFromAddress();
    courseProblem = unknown ? () => t("course.unknown", { code: unknown })
      : list.length ? null : () => t("course.none");
  } catch (error) {
    courseProblem = () => t("course.failed", { reason: explain(error) });
    setTimeout(loadCourses, 3000);
  }
  drawProblems();
}

function choose(course) {
  courseProblem = null;
  board.clear();
  picker.reset();
  isLoading = true;
  form.clearErrors();
  hideWarning();
  byId("slots").dataset.courseId = course.id;
  draw();
  live.send({ type: "unsubscribe" });
  live.send(subscription());
  refetch();
}

/// Fetches the chosen course's slots; false when that failed or another course was chosen.
async function fetchSlots() {
  const course = courses.chosen;
  if (!course) return false;
  try {
    const slots = await findSlots(course.id);
    if (courses.chosen !== course) return false;
    const before = picker.lost();
    board.replace(slots);
    slotsProblem = null;
    isLoading = false;
    tellLost(before);
    return true;
  } catch (error) {
    if (courses.chosen !== course) return false;
    slotsProblem = () => t("slots.failed", { reason: explain(error) });
    isLoading = false;
    return false;
  } finally {
    draw();
  }
}

const refetch = coalesced(fetchSlots, { delay: 0, jitter: 150 });

function tellLost(before) {
  for (const slot of picker.lost()) {
    if (!before.some((one) => one.id === slot.id)) {
      toast(t("choice.lost", { slot: slotLine(slot) }), "warn");
    }
  }
}

function draw() {
  byId("slots").setAttribute("aria-busy", String(isLoading));
  picker.draw();
  drawProblems();
}

function drawProblems() {
  const notice = byId("course-error");
  notice.hidden = courseProblem === null;
  text(notice, courseProblem?.());
  text(byId("slots-summary"), summary());
}

function summary() {
  if (!courses.chosen) return t("slots.choose");
  if (isLoading) return t("slots.loading");
  if (slotsProblem && board.size === 0) return slotsProblem();
  const open = board.days().flatMap((day) => day.slots).filter(isOpen);
  if (open.length === 0) return t("slots.none");
  return t("slots.count", { count: open.length, zone: zoneName(open[0].start_time, open[0].time_zone) });
}

// --- Live changes

const subscription = () =>
  (courses.chosen ? { type: "subscribe", filters: { course_id: courses.chosen.id } } : null);

function isMine(message) {
  const { chosen } = courses;
  const names = [message.course_id, message.booking?.course_id, message.course_code].filter(Boolean);
  return chosen && (names.length === 0 || names.includes(chosen.id) || names.includes(chosen.code));
}

function receive(message) {
  switch (message.type) {
  case "availability.updated":
    if (isMine(message)) applyChanges(changesIn(message));
    break;
  case "booking.created":
    if (isMine(message)) applyChanges(demandIn(message));
    break;
  case "booking.confirmed":
    follow(message);
    break;
  case "availability.changed":
  case "schedule.updated":
  case "schedule.deleted":
  case "broadcast":
  case "resync":
    refetch();
    break;
  default:
  }
}

function applyChanges(changes) {
  const before = picker.lost();
  const outcomes = changes.map((change) => board.apply(change));
  // A seat that went may take overlapping offers with it, and those are not ours to compute.
  const closes = changes.some((change) => change.slots_remaining === 0);
  if (changes.length === 0 || closes || outcomes.includes("missing")) refetch();
  if (outcomes.includes("applied")) {
    tellLost(before);
    draw();
  }
}

function follow(message) {
  const id = message.booking?.id ?? message.booking_id ?? message.bookingId;
  if (!outcome || id !== outcome.booking.id) return;
  outcome.booking = { ...outcome.booking, status: "confirmed" };
  drawResult(outcome, another);
  toast(t("result.confirmed"));
}

const live = new Live("/ws/availability", {
  subscription,
  onSubscribed: refetch,
  onMessage: receive,
  onState: showLiveState,
});

// --- Sending

// One key for one content: a retry carries the same key, an edited form a new one.
let attempt = { content: null, key: null };

function keyFor(content) {
  if (attempt.content !== content) attempt = { content, key: newKey() };
  return attempt.key;
}

async function submit({ isSure }) {
  const course = courses.chosen;
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
  const isFresh = await fetchSlots();
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
  draw();
  refetch();
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
  if (error.code === "SLOT_NOT_FOUND") refetch();
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
  courses.redraw();
  drawDays();
  form.redrawErrors();
  if (outcome) drawResult(outcome, another);
  draw();
});
startLanguages();
live.start();
// Without its script nobody can register: the server says so, and the page tries again when loaded.
captcha.start().catch(() => form.showFormError(t("form.captcha.failed"), "CAPTCHA_FAILED"));
loadCourses();
