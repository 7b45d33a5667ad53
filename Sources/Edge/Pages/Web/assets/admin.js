// The staff's page: both queues, decisions, live changes (A-14 … A-19, B-10 … B-12, X-24).
import { ApiError, call, callPersistently, findSlots, newKey } from "./api.js";
import { Case } from "./case.js";
import { Desk } from "./desk.js";
import { askReason, askSlot } from "./dialogs.js";
import { byId, reconcile, text } from "./dom.js";
import { explain } from "./errors.js";
import { onLanguage, startLanguages, t } from "./i18n.js";
import { showLiveState } from "./live-state.js";
import { coalesced, Live } from "./live.js";
import { applicantName, createRow, goneOf, updateRow } from "./row.js";
import { Review } from "./review.js";
import { Session } from "./session.js";
import { slotLine } from "./time.js";
import { toast } from "./toast.js";

const PAGE_SIZE = 200;
const OWN_ECHO_MS = 8000;
const CONFLICTS = ["SCHEDULE_CONFLICT", "SLOT_UNAVAILABLE", "CAPACITY_EXCEEDED"];

const queues = [
  { root: byId("pending"), query: "", none: "admin.pending.none", items: [], total: 0 },
  { root: byId("needs-slot"), query: "&needs_slot=true", none: "admin.needs.none", items: [], total: 0 },
];

/// Per booking: busy, the last error, the last conflict.
const states = new Map();
const stateOf = (id) => states.get(id) ?? { isBusy: false, error: null, conflict: null };

function setState(id, change) {
  states.set(id, { ...stateOf(id), ...change });
  draw();
}

// --- The queues

let listProblem = null;

async function load() {
  if (!session.user) return;
  try {
    const answers = await Promise.all(queues.map(({ query }) =>
      call("GET", `/api/booking/admin/bookings/pending?page_size=${PAGE_SIZE}${query}`)));
    if (!session.user) return;
    queues.forEach((queue, index) => {
      queue.items = answers[index].bookings ?? [];
      queue.total = Math.max(answers[index].total ?? 0, queue.items.length);
      queue.root.setAttribute("aria-busy", "false");
    });
    listProblem = null;
    const present = new Set(queues.flatMap(({ items }) => items.map(({ booking }) => booking.id)));
    for (const [id, state] of states) {
      if (!present.has(id) && !state.isBusy) states.delete(id);
    }
  } catch (error) {
    if (error.status === 401) {
      session.over();
      return;
    }
    listProblem = () => t("admin.failed", { reason: explain(error) });
    setTimeout(refresh, 3000);
  }
  draw();
}

const refresh = coalesced(load, { delay: 30, jitter: 60 });

// --- The desk, one booking, payments that wait

function isOver(error) {
  if (error.status === 401) session.over();
  return error.status === 401;
}

const openCase = (id) => detail.open(id);
const desk = new Desk(openCase, isOver);
const review = new Review(openCase, isOver);
const detail = new Case(() => refreshDesk(), isOver);

const refreshDesk = coalesced(async () => {
  if (!session.user) return;
  await Promise.all([desk.load(), review.load(), detail.refresh()]);
}, { delay: 60, jitter: 120 });

function draw() {
  for (const queue of queues) {
    const { root, items, total, none } = queue;
    reconcile(root, items, ({ booking }) => booking.id, createRow,
      (row, item) => updateRow(row, item, stateOf(item.booking.id)));
    const isLoaded = root.getAttribute("aria-busy") === "false";
    text(byId(`${root.id}-count`), isLoaded ? String(total) : "");
    text(byId(`${root.id}-note`), !isLoaded ? ""
      : total === 0 ? t(none)
        : total > items.length ? t("admin.more", { shown: items.length, total }) : "");
  }
  byId("list-error").hidden = listProblem === null;
  text(byId("list-error"), listProblem?.());
  const waiting = session.user && queues[0].total > 0 ? `(${queues[0].total}) ` : "";
  document.title = `${waiting}${t("title.admin")}`;
}

const find = (id) => queues.flatMap(({ items }) => items).find(({ booking }) => booking.id === id);

// --- Decisions

const own = new Map();

/// Sends one decision about a booking; shows its outcome at the row.
async function decide(item, path, body, done) {
  const { booking } = item;
  if (stateOf(booking.id).isBusy) return;
  const root = document.activeElement?.closest?.(".queue");
  own.set(booking.id, Date.now());
  setState(booking.id, { isBusy: true, error: null, conflict: null });
  try {
    await callPersistently("POST", path, {
      ...body, idempotency_key: newKey(), if_version: booking.version,
    });
    toast(done());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) {
      session.over();
      return;
    }
    showFailure(booking.id, error);
  } finally {
    own.set(booking.id, Date.now());
    setState(booking.id, { isBusy: false });
  }
  await load();
  keepFocus(booking.id, root);
}

function showFailure(id, error) {
  if (CONFLICTS.includes(error.code)) {
    setState(id, { conflict: { code: error.code, details: error.detail("janji.booking.v1.ConflictDetails") } });
    rowOf(id)?.querySelector("[data-testid=conflict]")?.focus({ preventScroll: true });
    return;
  }
  const first = error.violations[0]?.description;
  const words = () => [explain(error), first].filter(Boolean).join(" ");
  setState(id, { error: { code: error.code, words } });
  if (["VERSION_CONFLICT", "INVALID_TRANSITION", "BOOKING_EXPIRED"].includes(error.code)) {
    toast(explain(error), "warn");
  }
}

const rowOf = (id) => document.querySelector(`[data-testid=pending-row][data-booking-id="${CSS.escape(id)}"]`);

/// The row that was decided is gone or elsewhere: focus goes to the next one, or the heading.
function keepFocus(id, root) {
  const active = document.activeElement;
  if ((active && active !== document.body) || document.querySelector("dialog[open]")) return;
  const next = root?.querySelector("[data-action]:not([hidden])");
  (next ?? byId("admin-title")).focus({ preventScroll: true });
}

const confirmPath = (item) => `/api/booking/${item.booking.id}/confirm`;
const assignPath = (item) => `/api/booking/admin/bookings/${item.booking.id}/assign-slot`;

/// Gives the booking a slot; a pending one is confirmed in the same transaction.
function assign(item, slot, reason = "") {
  const path = item.booking.status === "pending" ? confirmPath(item) : assignPath(item);
  return decide(item, path, { schedule_id: slot.id, reason },
    () => t("done.assign", { name: applicantName(item), slot: slotLine(slot) }));
}

const actions = {
  confirm: (item) => decide(item, confirmPath(item), {},
    () => t("done.confirm", { name: applicantName(item) })),
  "assign-first": (item) => assign(item, item.first_choice.slot),
  "assign-second": (item) => assign(item, item.second_choice.slot),
  "assign-other": assignOther,
  reject: async (item) => {
    const answer = await askReason(applicantName(item));
    if (answer) {
      await decide(item, `/api/booking/${item.booking.id}/reject`, answer,
        () => t("done.reject", { name: applicantName(item) }));
    }
  },
  "close-conflict": (item) => {
    setState(item.booking.id, { conflict: null });
    rowOf(item.booking.id)?.querySelector("[data-action]:not([hidden])")?.focus();
  },
};

async function assignOther(item) {
  const { booking } = item;
  try {
    const slots = await findSlots(booking.course_id);
    const choices = [booking.first_choice_slot_id, booking.second_choice_slot_id];
    const answer = await askSlot(applicantName(item), slots, choices);
    if (answer?.slot) await assign(find(booking.id) ?? item, answer.slot, answer.reason);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showFailure(booking.id, error);
  }
}

function press(event) {
  const button = event.target.closest("[data-action], [data-testid=alternative]");
  const row = button?.closest("[data-booking-id]");
  const item = row && find(row.dataset.bookingId);
  if (!item || button.getAttribute("aria-disabled") === "true") return;
  if (button.dataset.testid === "alternative") {
    const { details } = stateOf(item.booking.id).conflict ?? goneOf(item);
    const slot = details.alternatives.find(({ id }) => id === button.dataset.slotId);
    const reason = row.querySelector("[data-field=conflict-reason]").value.trim();
    assign(item, slot, reason || t("conflict.reason"));
  } else actions[button.dataset.action](item);
}

for (const { root } of queues) root.addEventListener("click", press);

// --- Live changes

function receive(message) {
  refresh();
  refreshDesk();
  const booking = message.booking ?? message.payload?.data ?? message;
  const id = booking.id ?? booking.booking_id ?? booking.bookingId;
  if (Date.now() - (own.get(id) ?? 0) < OWN_ECHO_MS) return;
  switch (message.type) {
  case "booking.created":
    toast(t("event.created", { course: booking.course_code ?? message.course_code ?? "" }).replace(/:\s*$/, ""));
    break;
  case "booking.confirmed":
    toast(t((message.action ?? message.payload?.action) === "slot_assigned" ? "event.assigned" : "event.confirmed"));
    break;
  case "booking.cancelled":
    toast(t("event.cancelled"));
    break;
  case "booking.rejected":
    toast(t("event.rejected"));
    break;
  case "booking.expired":
    toast(t("event.expired"));
    break;
  case "admin.notification": {
    const words = message.message ?? message.title ?? message.payload?.message;
    if (words) toast(words, "warn");
    break;
  }
  default:
    // availability.updated, schedule.updated, resync …: the fresh rows say it.
  }
}

const live = new Live("/ws", {
  subscription: () => ({ type: "subscribe", scope: "all" }),
  onSubscribed: () => {
    refresh();
    refreshDesk();
  },
  onMessage: receive,
  onState: showLiveState,
  onUnauthorized: () => session.over(),
  // The 401 before an upgrade is hidden from scripts: ask by HTTP.
  onLost: () => session.check(),
});

const session = new Session(
  () => {
    live.start();
    refresh();
    desk.begin();
    review.load();
  },
  () => {
    live.stop();
    desk.end();
    review.end();
    states.clear();
    for (const queue of queues) {
      queue.items = [];
      queue.total = 0;
      queue.root.setAttribute("aria-busy", "true");
    }
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close("");
    draw();
  },
);

onLanguage(() => {
  session.redraw();
  desk.draw();
  review.draw();
  detail.draw();
  draw();
});
startLanguages();
session.resume();
setInterval(draw, 30000);
