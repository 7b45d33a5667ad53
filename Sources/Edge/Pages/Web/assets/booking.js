// A customer's own booking: what it is now, pay, come, move, cancel (X-124).
import { call, callPersistently, findSlots, newKey } from "./api.js";
import { DayList, whoOf } from "./daylist.js";
import { byId, h, set, text } from "./dom.js";
import { explain } from "./errors.js";
import { onLanguage, startLanguages, t } from "./i18n.js";
import { showLiveState } from "./live-state.js";
import { coalesced, Live } from "./live.js";
import { money } from "./money.js";
import { changesIn, isOpen, SlotBoard } from "./slots.js";
import { moment, range, slotLine } from "./time.js";
import { toast } from "./toast.js";

let token = decodeURIComponent(location.hash.slice(1));
let known = null;
let problem = null;
let isChoosing = false;

const board = new SlotBoard();
const list = new DayList(
  board,
  () => h("button", { type: "button", class: "pick", "data-action": "move" }),
  (element, slot, line) => {
    const button = element.querySelector("[data-action=move]");
    const taken = isWishing() ? known.first_choice?.slot.id : known?.slot?.id;
    button.disabled = !isOpen(slot) || slot.id === taken || isDearer(slot);
    set(button, "aria-label",
      t(isWishing() ? "choices.ask.for" : "booking.move.for", { slot: line }));
    text(button, t(isWishing() ? "choices.ask" : "booking.move.this"));
  });

/// A request waits for its slot: others can be asked for, not taken.
const isWishing = () => known?.rights?.can_change_choices === true;

/// What was agreed stays the price, so a booking moves to no dearer slot.
const isDearer = (slot) => !isWishing()
  && Number(slot.price) > Number(known?.rights?.reschedule_price_limit ?? Infinity);

const path = (rest = "") => `/api/bookings/manage/${encodeURIComponent(token)}${rest}`;

async function load() {
  try {
    known = await call("GET", path());
    problem = null;
    if (known.manage_token && known.manage_token !== token) keep(known.manage_token);
    live.send(subscription());
  } catch (error) {
    problem = error;
    // A lost connection passes; a wrong link does not.
    if (error.isTransient) setTimeout(load, 3000);
  }
  draw();
  drawHistory();
}

const reload = coalesced(load, { delay: 0, jitter: 200 });

function keep(next) {
  token = next;
  history.replaceState(null, "", `#${encodeURIComponent(next)}`);
}

addEventListener("hashchange", () => {
  token = decodeURIComponent(location.hash.slice(1));
  load();
});

// --- Drawing

function draw() {
  drawProblem();
  const root = byId("booking");
  root.hidden = known === null;
  root.setAttribute("aria-busy", "false");
  byId("other").hidden = !isChoosing;
  if (!known) return;
  const { booking, slot, rights } = known;
  set(root, "data-booking-id", booking.id);
  set(root, "data-status", booking.status);
  set(root, "data-payment-status", booking.payment_status);
  set(root, "data-version", booking.version);
  text(byId("booking-title"), slot?.course_title ?? t("booking.title"));
  text(byId("status-words"), t(`booking.${booking.status}`));
  byId("facts").replaceChildren(...facts(booking, slot));
  drawChoices();
  const isPaying = booking.status === "pending_payment";
  byId("pay").hidden = !isPaying;
  const code = byId("qr");
  code.hidden = booking.status !== "confirmed";
  if (!code.hidden) set(code, "src", path(`/qr?v=${booking.version}`));
  else set(code, "src", null);
  set(code, "alt", t("booking.qr"));
  const calendar = byId("calendar");
  calendar.hidden = !["confirmed", "in_progress"].includes(booking.status);
  set(calendar, "href", path("/ics"));
  const move = byId("reschedule");
  move.hidden = !rights?.can_reschedule && !isWishing();
  text(move, t(isWishing() ? "choices.change" : "booking.move"));
  byId("cancel").hidden = !rights?.can_cancel;
  if (isChoosing) list.draw();
}

function drawProblem() {
  const box = byId("page-error");
  box.hidden = problem === null;
  set(box, "data-code", problem?.code);
  text(box, problem ? explain(problem) : "");
}

/// A request whose choices others have been given: what is free near them (X-24).
function drawChoices() {
  const box = byId("choices-gone");
  const near = known.alternatives ?? [];
  const words = t(near.length > 0 ? "choices.gone" : "choices.none");
  box.hidden = !known.choices_gone;
  // The same again is left alone: somebody may be about to press a button.
  const shown = [known.choices_gone, words, isWishing(), ...near.map((slot) => slot.id)].join(" ");
  if (box.dataset.shown === shown) return;
  set(box, "data-shown", shown);
  box.replaceChildren(...known.choices_gone ? [
    h("p", {}, words),
    h("ul", {}, near.map((slot) => h("li", {
      "data-testid": "alternative", "data-slot-id": slot.id,
    }, h("span", {}, choiceWords({ slot, available: true })),
    isWishing() ? h("button", {
      type: "button", class: "pick", "data-action": "wish",
      "aria-label": t("choices.ask.for", { slot: slotLine(slot) }),
    }, t("choices.ask")) : null))),
  ] : []);
}

const choiceWords = ({ slot, available }) =>
  [slotLine(slot), whoOf(slot), available ? null : t("choices.taken")].filter(Boolean).join(" · ");

function facts(booking, slot) {
  const rows = [];
  const add = (key, value) => value && rows.push(h("dt", {}, t(key)), h("dd", {}, value));
  if (slot) {
    add("booking.when", h("time", { datetime: slot.start_time },
      `${moment(slot.start_time, slot.time_zone)} (${range(slot)})`));
    add("booking.who", (slot.resources ?? []).map((one) => one.name).join(", ")
      || slot.instructor?.name);
  }
  if (!slot && known.first_choice) add("choice.first", choiceWords(known.first_choice));
  if (!slot && known.second_choice) add("choice.second", choiceWords(known.second_choice));
  add("booking.for", known.subject_name);
  if (Number(booking.final_amount) > 0) {
    add("booking.price", `${money(booking.final_amount, booking.currency)} · ${t(`payment.${booking.payment_status}`)}`);
  }
  if (booking.status === "pending_payment") {
    add("booking.until", h("time", { datetime: booking.expires_at },
      moment(booking.expires_at, slot?.time_zone)));
  }
  add("booking.archived", booking.archived_at && moment(booking.archived_at, slot?.time_zone));
  add("result.id", h("code", { "data-testid": "booking-id" }, booking.id));
  return rows;
}

// --- What can be done

async function act(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    problem = error;
    drawProblem();
    byId("page-error").focus();
  } finally {
    button.disabled = false;
  }
}

byId("pay").addEventListener("click", (event) => act(event.target, async () => {
  const { payment } = await callPersistently(
    "POST", `/api/bookings/${known.booking.id}/payments`,
    { manage_token: token, idempotency_key: newKey(), return_path: `/booking#${token}` });
  location.assign(payment.payment_url);
}));

byId("cancel").addEventListener("click", (event) => act(event.target, async () => {
  const quote = await call(
    "GET",
    `/api/bookings/${known.booking.id}/cancellation-quote?manage_token=${encodeURIComponent(token)}`);
  const line = byId("cancel-quote");
  set(line, "data-refund", quote.refund);
  text(line, Number(quote.refund) > 0
    ? t("cancel.refund", { amount: money(quote.refund, quote.currency || known.booking.currency) })
    : t("cancel.free"));
  byId("cancel-dialog").showModal();
}));

const dialog = byId("cancel-dialog");
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close(""));
dialog.addEventListener("close", () => {
  if (dialog.returnValue !== "go") return;
  dialog.returnValue = "";
  act(byId("cancel"), async () => {
    await callPersistently("POST", path("/cancel"), {
      reason: byId("cancel-reason").value.trim(), idempotency_key: newKey(),
    });
    toast(t("booking.cancelled"));
    await load();
  });
});

byId("reschedule").addEventListener("click", () => {
  isChoosing = !isChoosing;
  draw();
  if (!isChoosing) return;
  refetch();
  byId("slots-title").focus();
});

async function fetchSlots() {
  if (!isChoosing || !known) return;
  const slots = (await findSlots(known.booking.course_id)).filter((slot) => !isDearer(slot));
  board.replace(slots);
  text(byId("slots-summary"), slots.length ? "" : t("book.full"));
  draw();
}

const refetch = coalesced(fetchSlots, { delay: 0, jitter: 100 });

/// What was asked for before and is still open stays as the second choice.
const wish = (button, slot) => act(button, async () => {
  const second = [known.first_choice, known.second_choice]
    .find((choice) => choice?.available && choice.slot.id !== slot);
  await callPersistently("POST", path("/choices"), {
    first_choice_slot_id: slot, second_choice_slot_id: second?.slot.id, idempotency_key: newKey(),
  });
  isChoosing = false;
  toast(t("choices.changed"));
  await load();
  byId("booking-title").focus();
});

byId("choices-gone").addEventListener("click", (event) => {
  const button = event.target.closest("[data-action=wish]");
  if (button) wish(button, button.closest("[data-slot-id]").dataset.slotId);
});

byId("slots").addEventListener("click", (event) => {
  const button = event.target.closest("[data-action=move]");
  if (!button) return;
  const slot = button.closest("[data-slot-id]").dataset.slotId;
  if (isWishing()) {
    wish(button, slot);
    return;
  }
  act(button, async () => {
    const answer = await callPersistently("POST", path("/reschedule"), {
      schedule_id: slot, idempotency_key: newKey(),
    });
    isChoosing = false;
    keep(answer.manage_token);
    toast(t("booking.moved"));
    await load();
    byId("booking-title").focus();
  });
});

// --- History

async function loadHistory() {
  if (!known || !byId("history").open) return;
  const { history } = await call("GET", path("/history"));
  byId("history-list").replaceChildren(...(history ?? []).map((entry) => h("li", {
    "data-testid": "history-entry", "data-to": entry.to, "data-by": entry.by,
  },
  h("time", { datetime: entry.at }, moment(entry.at, known.slot?.time_zone)), " ",
  h("span", {}, [t(`status.${entry.to}`), t(`payment.${entry.payment_status ?? "not_required"}`),
    t(`history.by.${entry.by}`)].join(" · ")))));
}

/// It can be read without: what is known of the booking stays.
const drawHistory = () => loadHistory().catch(() => {});

byId("history").addEventListener("toggle", drawHistory);

// --- Live

const subscription = () =>
  (known ? { type: "subscribe", filters: { course_id: known.booking.course_id } } : null);

const live = new Live("/ws/availability", {
  subscription,
  onSubscribed: reload,
  onMessage: (message) => {
    const id = message.booking?.id ?? message.booking_id ?? message.bookingId;
    if (id !== undefined && id === known?.booking.id) reload();
    if ((message.booking_ids ?? []).includes(known?.booking.id)) reload();
    if (message.type === "availability.updated") {
      for (const change of changesIn(message)) board.apply(change);
      if (isChoosing) refetch();
      if (changesIn(message).some((change) => change.id === known?.slot?.id)) reload();
    }
  },
  onState: showLiveState,
});

onLanguage(() => {
  document.title = t("title.booking");
  draw();
  drawHistory();
});
startLanguages();
live.start();
load();
// The provider tells the clinic, not this page: look now and then while a payment is open.
setInterval(() => {
  if (known?.booking.status === "pending_payment" && !document.hidden) reload();
}, 4000);
