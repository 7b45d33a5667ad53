// What can be booked in one way: the offerings, and the open slots of the chosen one, followed live.
import { findCourses, findSlots } from "./api.js";
import { Courses } from "./courses.js";
import { byId, text } from "./dom.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";
import { showLiveState } from "./live-state.js";
import { coalesced, Live } from "./live.js";
import { changesIn, demandIn, isOpen, SlotBoard } from "./slots.js";
import { zoneName } from "./time.js";

export class Offers {
  board = new SlotBoard();
  #entry;
  #words;
  #hooks;
  #courses;
  #live;
  #courseProblem = null;
  #slotsProblem = null;
  #isLoading = false;

  /// - `entry`: the way of booking (`request`, `hold`).
  /// - `words`: keys of what is said when nothing is chosen (`choose`), nothing is offered (`none`)
  ///   and nothing is free (`full`).
  /// - `hooks`: `onDraw()` draws the slots; where wanted `onChoose(course)`, `onFetch(course)`,
  ///   `onMessage(message)` for every live message, and `beforeChange()`, whose answer is called
  ///   when the board has changed.
  constructor(entry, words, hooks) {
    this.#entry = entry;
    this.#words = words;
    this.#hooks = hooks;
    this.#courses = new Courses(byId("course"), (course) => this.#choose(course));
    this.#live = new Live("/ws/availability", {
      subscription: () => this.#subscription(),
      onSubscribed: () => this.refetch(),
      onMessage: (message) => this.#receive(message),
      onState: showLiveState,
    });
  }

  get chosen() {
    return this.#courses.chosen;
  }

  start() {
    this.#live.start();
    this.#load();
  }

  /// Everything again, in the words of the language that is spoken now.
  redraw() {
    this.#courses.redraw();
    this.draw();
  }

  draw() {
    byId("slots").setAttribute("aria-busy", String(this.#isLoading));
    this.#hooks.onDraw();
    const notice = byId("course-error");
    notice.hidden = this.#courseProblem === null;
    text(notice, this.#courseProblem?.());
    text(byId("slots-summary"), this.#summary());
  }

  #summary() {
    if (!this.chosen) return t(this.#words.choose);
    if (this.#isLoading) return t("slots.loading");
    if (this.#slotsProblem && this.board.size === 0) return this.#slotsProblem();
    const open = this.board.days().flatMap((day) => day.slots).filter(isOpen);
    if (open.length === 0) return t(this.#words.full);
    return t("slots.count", {
      count: open.length, zone: zoneName(open[0].start_time, open[0].time_zone),
    });
  }

  // --- Fetching

  async #load() {
    try {
      const list = await findCourses(this.#entry);
      this.#courses.show(list);
      const unknown = this.#courses.chooseFromAddress();
      this.#courseProblem = unknown ? () => t("course.unknown", { code: unknown })
        : list.length ? null : () => t(this.#words.none);
    } catch (error) {
      this.#courseProblem = () => t("course.failed", { reason: explain(error) });
      setTimeout(() => this.#load(), 3000);
    }
    this.draw();
  }

  #choose(course) {
    this.#courseProblem = null;
    this.board.clear();
    this.#isLoading = true;
    this.#hooks.onChoose?.(course);
    byId("slots").dataset.courseId = course.id;
    this.draw();
    this.#live.send({ type: "unsubscribe" });
    this.#live.send(this.#subscription());
    this.refetch();
  }

  /// Fetches the slots of what is chosen; false when that failed or something else was chosen.
  async fetch() {
    const course = this.chosen;
    if (!course) return false;
    this.#hooks.onFetch?.(course);
    try {
      const slots = await findSlots(course.id);
      if (this.chosen !== course) return false;
      this.#change(() => this.board.replace(slots));
      this.#slotsProblem = null;
      return true;
    } catch (error) {
      if (this.chosen === course) {
        this.#slotsProblem = () => t("slots.failed", { reason: explain(error) });
      }
      return false;
    } finally {
      if (this.chosen === course) {
        this.#isLoading = false;
        this.draw();
      }
    }
  }

  /// The same a moment later, once for all who ask meanwhile.
  refetch = coalesced(() => this.fetch(), { delay: 0, jitter: 150 });

  #change(work) {
    const after = this.#hooks.beforeChange?.();
    const outcome = work();
    after?.();
    return outcome;
  }

  // --- Live

  #subscription() {
    return this.chosen ? { type: "subscribe", filters: { course_id: this.chosen.id } } : null;
  }

  #isMine(message) {
    const { chosen } = this;
    const names = [message.course_id, message.booking?.course_id, message.course_code]
      .filter(Boolean);
    return chosen && (names.length === 0 || names.includes(chosen.id) || names.includes(chosen.code));
  }

  #receive(message) {
    this.#hooks.onMessage?.(message);
    switch (message.type) {
    case "availability.updated":
      if (this.#isMine(message)) this.#apply(changesIn(message));
      break;
    case "booking.created":
    case "booking.choices_changed":
      if (this.#isMine(message) && demandIn(message).length > 0) this.#apply(demandIn(message));
      break;
    case "availability.changed":
    case "schedule.updated":
    case "schedule.deleted":
    case "broadcast":
    case "resync":
      this.refetch();
      break;
    default:
    }
  }

  #apply(changes) {
    const outcomes = this.#change(() => changes.map((change) => this.board.apply(change)));
    // A seat that went may take overlapping offers with it, and those are not ours to compute.
    const closes = changes.some((change) => change.slots_remaining === 0);
    if (changes.length === 0 || closes || outcomes.includes("missing")) this.refetch();
    if (outcomes.includes("applied")) this.draw();
  }
}
