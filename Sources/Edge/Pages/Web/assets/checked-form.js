// A form that says at each field what is wrong: by hints while it is filled in, and by the
// server's field violations after it was sent.
import { h, set, text } from "./dom.js";
import { t } from "./i18n.js";

export const plainNumber = (value) => value.replace(/[\s().-]/g, "");

/// People write 0812…, 62812… or 812…; all mean +62812….
export function international(value) {
  const plain = plainNumber(value);
  if (/^0[1-9]\d{6,}$/.test(plain)) return `+62${plain.slice(1)}`;
  if (/^62\d{7,}$/.test(plain)) return `+${plain}`;
  if (/^8\d{7,}$/.test(plain)) return `+62${plain}`;
  return plain;
}

export const isEmail = (value) => (/^\S+@\S+$/.test(value) ? null : "hint.email");
export const isTelephone = (value) => (/^\+62\d{6,}$/.test(plainNumber(value)) ? null : "hint.wa");

export class CheckedForm {
  #form;
  #box;
  #rules;
  // Hints are kept by key, so that they follow the language; server errors are kept as they came.
  #shown = new Map();

  /// `rules`: by field name, a value's hint or null. `box`: where errors of the whole form go.
  constructor(form, box, rules) {
    this.#form = form;
    this.#box = box;
    this.#rules = rules;
    form.addEventListener("focusout", ({ target }) => this.#leave(target));
    form.addEventListener("input", ({ target }) => {
      if (this.#shown.has(target.name) && !this.#problem(target)) this.#clearAt(target.name);
    });
  }

  /// The trimmed text of a field.
  word(name) {
    return String(new FormData(this.#form).get(name) ?? "").trim();
  }

  clearErrors() {
    for (const field of [...this.#shown.keys()]) this.#clearAt(field);
    this.hideFormError();
  }

  /// Checks every control; the number of problems, each shown at its place.
  check() {
    this.clearErrors();
    for (const control of this.#form.elements) {
      if (!control.name) continue;
      const key = this.#problem(control);
      if (key) this.#showAt(control.name, { key });
    }
    return this.#shown.size;
  }

  /// Shows the server's field violations. Those without a place on the page are returned.
  showViolations(violations) {
    return violations.filter(({ field, description }) => {
      const message = { text: description };
      return !this.#showAt(field, message) && !this.#showAt(`${field}.start`, message)
        && !this.#showAt(String(field).split(/[.[]/)[0], message);
    });
  }

  focusFirstError() {
    const control = this.#form.querySelector("[aria-invalid=true]");
    if (control) control.focus();
    else this.#box.focus();
  }

  showFormError(message, code) {
    set(this.#box, "data-code", code);
    this.#box.hidden = false;
    text(this.#box, message);
  }

  hideFormError() {
    this.#box.hidden = true;
    text(this.#box, "");
  }

  /// The words again, after the language changed.
  redrawErrors() {
    for (const [field, message] of this.#shown) this.#showAt(field, message);
  }

  reset() {
    this.#form.reset();
    this.clearErrors();
  }

  #leave(target) {
    if (target.type === "tel" && target.value) target.value = international(target.value);
    // An untouched field is not scolded for being empty before the form is sent.
    if (!target.name || target.value === "" || target.type === "checkbox") return;
    const key = this.#problem(target);
    if (key) this.#showAt(target.name, { key });
    else this.#clearAt(target.name);
  }

  /// The key of the hint for one control, or null when it is fine.
  #problem(control) {
    if (control.name === "consent") return control.checked ? null : "hint.consent";
    const value = control.value.trim();
    if (control.required && value === "") {
      return control.validity.badInput ? "hint.date" : "hint.required";
    }
    return this.#rules[control.name]?.(value) ?? null;
  }

  #place(field) {
    const element = this.#form.elements[field];
    const control = element instanceof RadioNodeList ? element[0] : element;
    return { control, holder: control?.closest(".field") };
  }

  #slot(field) {
    return document.querySelector(`[data-error-for="${CSS.escape(field)}"]`);
  }

  #showAt(field, message) {
    const slot = this.#slot(field) ?? this.#createSlot(field);
    if (!slot) return false;
    this.#shown.set(field, message);
    text(slot, message.key ? t(message.key) : message.text);
    const { control } = this.#place(field);
    if (control) {
      set(control, "aria-invalid", "true");
      set(control, "aria-describedby", slot.id);
    }
    return true;
  }

  #createSlot(field) {
    const { holder } = this.#place(field);
    if (!holder) return null;
    const slot = h("p", { class: "error", id: `error-${field.replaceAll(".", "-")}`, "data-error-for": field });
    holder.append(slot);
    return slot;
  }

  #clearAt(field) {
    if (!this.#shown.delete(field)) return;
    text(this.#slot(field), "");
    const { control } = this.#place(field);
    if (control) {
      set(control, "aria-invalid", null);
      set(control, "aria-describedby", null);
    }
  }
}
