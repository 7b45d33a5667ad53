// The courses as a group of radio cards; the chosen one is also the page's #CODE.
import { h, text } from "./dom.js";
import { money } from "./money.js";

export class Courses {
  #root;
  #courses = [];
  #onChoose;

  constructor(root, onChoose) {
    this.#root = root;
    this.#onChoose = onChoose;
    root.addEventListener("change", (event) => {
      const course = this.#courses.find((one) => one.id === event.target.value);
      if (course) this.#choose(course);
    });
    addEventListener("hashchange", () => this.chooseFromAddress());
  }

  chosen = null;

  show(courses) {
    this.#courses = courses;
    this.#root.setAttribute("aria-busy", "false");
    this.#root.replaceChildren(...courses.map((course) => h(
      "label",
      {
        class: "course", "data-testid": "course", "data-course-id": course.id,
        "data-course-code": course.code,
      },
      h("input", { type: "radio", name: "course", value: course.id }),
      h("span", { class: "course-title" }, course.title),
      h("span", { class: "course-code" }, course.code),
      course.description ? h("span", { class: "course-text" }, course.description) : null,
      Number(course.price) > 0 ? h("span", { class: "course-price" }) : null,
    )));
    this.redraw();
  }

  /// The prices, in the reader's way.
  redraw() {
    for (const course of this.#courses) {
      const price = this.#root.querySelector(`[data-course-id="${CSS.escape(course.id)}"] .course-price`);
      if (price) text(price, money(course.price, course.currency));
    }
  }

  /// The code in the address that names no course, or null.
  chooseFromAddress() {
    const code = decodeURIComponent(location.hash.slice(1));
    if (!/^[A-Za-z0-9]+-[\w-]+$/.test(code)) return null;
    const course = this.#courses.find((one) =>
      one.code.toLowerCase() === code.toLowerCase() || one.id === code);
    if (!course) return /^[a-z-]+$/.test(code) ? null : code;
    const input = this.#root.querySelector(`input[value="${CSS.escape(course.id)}"]`);
    if (input) input.checked = true;
    this.#choose(course);
    return null;
  }

  #choose(course) {
    if (this.chosen?.id === course.id) return;
    this.chosen = course;
    history.replaceState(null, "", `#${encodeURIComponent(course.code)}`);
    this.#onChoose(course);
  }
}
