// The page of appointments: an offering, a time that is held, the booking (E-18 … E-20).
import { findCourses, findSlots } from "./api.js";
import { Courses } from "./courses.js";
import { DayList } from "./daylist.js";
import { byId, h, set, text } from "./dom.js";
import { explain } from "./errors.js";
import { HoldPanel } from "./hold.js";
import { onLanguage, startLanguages, t } from "./i18n.js";
import { showLiveState } from "./live-state.js";
import { coalesced, Live } from "./live.js";
import { changesIn, isOpen, SlotBoard } from "./slots.js";
import { zoneName } from "./time.js";
import { toast } from "./toast.js";
import { WaitingList } from "./waitlist.js";

const board = new SlotBoard();
const courses = new Courses(byId("course"), (course) => choose(course));
let courseProblem = null;
let slotsProblem = null;
let isLoading = false;

const panel = new HoldPanel(() => refetch(), ({ manage_token }) => {
  location.assign(`/booking#${manage_token}`);
});

const waiting = new WaitingList((held) => panel.adopt(held));

const list = new DayList(
  board,
  () => h("button", { type: "button", class: "pick", "data-action": "hold" }),
  (element, slot, line) => {
    const button = element.querySelector("[data-action=hold]");
    const isMine = panel.slotId === slot.id;
    button.disabled = !isOpen(slot) || isMine;
    set(button, "aria-label", t("book.hold.for", { slot: line }));
    text(button, t(isMine ? "book.held" : "book.hold"));
    set(element, "data-held", isMine);
  });

async function loadCourses() {
  try {
    const held = await findCourses("hold");
    courses.show(held);
    const unknown = courses.chooseFromAddress();
    courseProblem = unknown ? () => t("course.unknown", { code: unknown })
      : held.length ? null : () => t("book.none");
  } catch (error) {
    courseProblem = () => t("course.failed", { reason: explain(error) });
    setTimeout(loadCourses, 3000);
  }
  draw();
}

function choose(course) {
  courseProblem = null;
  board.clear();
  list.reset();
  isLoading = true;
  byId("slots").dataset.courseId = course.id;
  draw();
  live.send({ type: "unsubscribe" });
  live.send(subscription());
  refetch();
}

async function fetchSlots() {
  const course = courses.chosen;
  if (!course) return;
  waiting.load(course);
  try {
    const slots = await findSlots(course.id);
    if (courses.chosen !== course) return;
    board.replace(slots);
    slotsProblem = null;
  } catch (error) {
    if (courses.chosen !== course) return;
    slotsProblem = () => t("slots.failed", { reason: explain(error) });
  }
  isLoading = false;
  draw();
}

const refetch = coalesced(fetchSlots, { delay: 0, jitter: 150 });

byId("slots").addEventListener("click", async (event) => {
  const button = event.target.closest("[data-action=hold]");
  if (!button) return;
  const slot = board.get(button.closest("[data-slot-id]").dataset.slotId);
  button.disabled = true;
  try {
    await panel.place(slot, courses.chosen.title);
  } catch (error) {
    toast(explain(error), "warn");
  }
  draw();
  refetch();
});

function draw() {
  byId("slots").setAttribute("aria-busy", String(isLoading));
  list.draw();
  const notice = byId("course-error");
  notice.hidden = courseProblem === null;
  text(notice, courseProblem?.());
  text(byId("slots-summary"), summary());
}

function summary() {
  if (!courses.chosen) return t("book.choose");
  if (isLoading) return t("slots.loading");
  if (slotsProblem && board.size === 0) return slotsProblem();
  const open = board.days().flatMap((day) => day.slots).filter(isOpen);
  if (open.length === 0) return t("book.full");
  return t("slots.count", { count: open.length, zone: zoneName(open[0].start_time, open[0].time_zone) });
}

const subscription = () =>
  (courses.chosen ? { type: "subscribe", filters: { course_id: courses.chosen.id } } : null);

const live = new Live("/ws/availability", {
  subscription,
  onSubscribed: refetch,
  onMessage: (message) => {
    if (message.type === "waitlist.updated") {
      waiting.onMessage(message);
      return;
    }
    if (message.type !== "availability.updated") {
      if (message.type !== "booking.created") refetch();
      return;
    }
    const changes = changesIn(message);
    const outcomes = changes.map((change) => board.apply(change));
    const closes = changes.some((change) => change.slots_remaining === 0);
    if (changes.length === 0 || closes || outcomes.includes("missing")) refetch();
    if (outcomes.includes("applied")) draw();
  },
  onState: showLiveState,
});

onLanguage(() => {
  document.title = t("title.book");
  panel.draw();
  waiting.draw();
  courses.redraw();
  draw();
});
startLanguages();
panel.resume();
live.start();
loadCourses();
