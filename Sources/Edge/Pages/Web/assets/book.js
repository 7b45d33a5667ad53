// The page of appointments: an offering, a time that is held, the booking (E-18 … E-20).
import { DayList } from "./daylist.js";
import { byId, h, set, text } from "./dom.js";
import { explain } from "./errors.js";
import { HoldPanel } from "./hold.js";
import { onLanguage, startLanguages, t } from "./i18n.js";
import { Offers } from "./offers.js";
import { isOpen } from "./slots.js";
import { toast } from "./toast.js";
import { WaitingList } from "./waitlist.js";

const offers = new Offers(
  "hold", { choose: "book.choose", none: "book.none", full: "book.full" }, {
    onChoose: () => list.reset(),
    onFetch: (course) => waiting.load(course),
    onDraw: () => list.draw(),
    onMessage: (message) => {
      if (message.type === "waitlist.updated") waiting.onMessage(message);
    },
  });

const panel = new HoldPanel(() => offers.refetch(), ({ manage_token }) => {
  location.assign(`/booking#${manage_token}`);
});

const waiting = new WaitingList((held) => panel.adopt(held));

const list = new DayList(
  offers.board,
  () => h("button", { type: "button", class: "pick", "data-action": "hold" }),
  (element, slot, line) => {
    const button = element.querySelector("[data-action=hold]");
    const isMine = panel.slotId === slot.id;
    button.disabled = !isOpen(slot) || isMine;
    set(button, "aria-label", t("book.hold.for", { slot: line }));
    text(button, t(isMine ? "book.held" : "book.hold"));
    set(element, "data-held", isMine);
  });

byId("slots").addEventListener("click", async (event) => {
  const button = event.target.closest("[data-action=hold]");
  if (!button) return;
  const slot = offers.board.get(button.closest("[data-slot-id]").dataset.slotId);
  button.disabled = true;
  try {
    await panel.place(slot, offers.chosen.title);
  } catch (error) {
    toast(explain(error), "warn");
  }
  offers.draw();
  offers.refetch();
});

onLanguage(() => {
  document.title = t("title.book");
  panel.draw();
  waiting.draw();
  offers.redraw();
});
startLanguages();
panel.resume();
offers.start();
